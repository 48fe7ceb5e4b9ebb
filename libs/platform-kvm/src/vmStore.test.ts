import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { VmRecord } from './vmRecord.ts';
import { createVmStore, type VmStore } from './vmStore.ts';

let folder: string;
let store: VmStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-vms-'));
  store = createVmStore(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function record(name: string, ownedName = `ascend-${name}`): VmRecord {
  return {
    version: 1,
    name,
    ownedName,
    jobId: 'job',
    createdAt: '2026-11-21T00:00:00Z',
    cpuCount: 1,
    memoryBytes: 1,
    firmware: 'bios',
    disks: [{ diskIndex: 0, storage: 'disks', ownedName: 'ascend-disk', bus: 'virtio-blk', boot: true }],
    nics: [
      { nicIndex: 0, mac: '52:54:00:00:00:01', model: 'virtio-net-pci', network: 'user', addresses: [] },
    ],
    notes: null,
    tags: { a: 'b' },
  };
}

it('is empty while the folder does not exist', async () => {
  expect(await store.list()).toEqual([]);
  expect(await store.names()).toEqual([]);
  expect(await store.find('one')).toBeNull();
  await store.remove('one');
});

it('gives a name to exactly one of many callers', async () => {
  const tries = Array.from({ length: 8 }, (_, index) => store.create(record('one', `ascend-${index}`)));
  const won = (await Promise.all(tries)).filter(Boolean);
  expect(won).toHaveLength(1);
  expect(await store.names()).toEqual(['one']);
  expect(await readdir(join(folder, 'vms'))).toEqual(['one']);
});

it('reads back what was written and changed', async () => {
  await store.create(record('one'));
  await store.replace({ ...record('one'), notes: 'changed' });
  expect(await store.find('one')).toEqual({ ...record('one'), notes: 'changed' });
});

it('does not see what a crash left half-made or half-removed', async () => {
  await store.create(record('one'));
  await mkdir(join(folder, 'vms', '.new-0123'));
  await mkdir(join(folder, 'vms', '.gone-0123'));
  expect(await store.names()).toEqual(['one']);
});

it('takes a folder that a removal left empty', async () => {
  await mkdir(join(folder, 'vms', 'one'), { recursive: true });
  expect(await store.create(record('one'))).toBe(true);
});

it('removes a VM with its machine folder and what an earlier removal left, again and again', async () => {
  await store.create(record('one'));
  await mkdir(join(folder, 'vms', '.gone-0123', 'machine'), { recursive: true });
  await mkdir(join(folder, 'vms', 'one', 'machine'));
  await store.remove('one');
  await store.remove('one');
  expect(await readdir(join(folder, 'vms'))).toEqual([]);
});

it.each([
  ['no JSON', '{'],
  ['another version', JSON.stringify({ ...record('broken'), version: 2 })],
  ['a disk without a bus', JSON.stringify({ ...record('broken'), disks: [{ diskIndex: 0 }] })],
  ['a memory size of text', JSON.stringify({ ...record('broken'), memoryBytes: '1' })],
  ['null', 'null'],
])(
  'hides a broken record (%s) from lists, but keeps its name and says so when it is asked for',
  async (_what, text) => {
    await store.create(record('fine'));
    await store.create(record('broken'));
    await writeFile(join(folder, 'vms', 'broken', 'vm.json'), text);
    expect((await store.list()).map((vm) => vm.name)).toEqual(['fine']);
    expect(await store.names()).toEqual(['broken', 'fine']);
    await expect(store.find('broken')).rejects.toMatchObject({ code: 'TARGET_RECORD_CORRUPT' });
  },
);
