import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sampleDisk } from '@ascend/connector/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf, openDisk } from './disk.ts';
import { createDiskStore, type DiskStore } from './diskStore.ts';
import { parseKvmConnection, type KvmConnection } from './connection.ts';

const signal = new AbortController().signal;
const name = 'ascend-job-transfer-disk-0-disk';
let folder: string;
let connection: KvmConnection;
let disks: DiskStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-disks-'));
  await mkdir(join(folder, 'disks'));
  connection = parseKvmConnection({
    storages: { disks: join(folder, 'disks') },
    state_dir: join(folder, 'state'),
  });
  disks = createDiskStore(connection);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (resume: boolean, storage = 'disks') =>
  openDisk(
    { connection, disks, workDir: folder },
    {
      name,
      jobId: 'job',
      disk: sampleDisk({ diskIndex: 0, sizeBytes: 1 << 20, storage, bus: 'virtio-blk' }),
      resume,
      signal,
    },
  );

it('does not call a damaged partial file kept: its bytes are gone', async () => {
  const first = await open(true);
  await first.sink.write(0, new Uint8Array(512).fill(1));
  await first.sink.suspend();
  const path = join(folder, 'disks', `${name}.qcow2.partial`);
  const whole = await open(true);
  expect(whole.kept).toBe(true);
  await whole.sink.suspend();
  await writeFile(path, 'cut');
  const again = await open(true);
  expect(again.kept).toBe(false);
  await again.sink.abort();
});

it('records the owner before the file and forgets it after the file', async () => {
  const { sink } = await open(false);
  expect(await disks.list()).toEqual([{ jobId: 'job', ownedName: name, storage: 'disks', diskIndex: 0 }]);
  await sink.suspend();
  await disks.remove(name);
  expect(await disks.list()).toEqual([]);
  expect(await readdir(join(folder, 'disks'))).toEqual([]);
});

it('leaves files alone that only look like ours', async () => {
  await writeFile(join(folder, 'disks', 'pgtest1.qcow2'), 'not ours');
  await expect(disks.remove('pgtest1')).rejects.toMatchObject({ code: 'TARGET_NAME_ILLEGAL' });
  await expect(disks.remove('ascend-../../x')).rejects.toMatchObject({ code: 'TARGET_NAME_ILLEGAL' });
  expect(await readFile(join(folder, 'disks', 'pgtest1.qcow2'), 'utf8')).toBe('not ours');
});

it('refuses a storage that the connection does not have, also one named like a property of every object', async () => {
  await expect(open(false, 'tape')).rejects.toMatchObject({ code: 'TARGET_STORAGE_UNKNOWN' });
  await expect(open(false, 'constructor')).rejects.toMatchObject({ code: 'TARGET_STORAGE_UNKNOWN' });
});

it('says that a storage is out of reach when its folder is gone', async () => {
  await rm(join(folder, 'disks'), { recursive: true });
  await expect(open(false)).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
});

it('ignores records that are not whole', async () => {
  await mkdir(join(folder, 'state', 'disks'), { recursive: true });
  await writeFile(join(folder, 'state', 'disks', `${name}.json`), '{"jobId": 7}');
  expect(await disks.list()).toEqual([]);
});

it('reads back only finished disks', async () => {
  const { sink, ref } = await open(false);
  await sink.write(0, new Uint8Array(512).fill(1));
  const read = () => digestOf(disks, ref, folder, signal);
  await expect(read()).rejects.toMatchObject({ code: 'TARGET_DISK_MISSING' });
  await sink.finish();
  expect(await read()).toMatch(/^[0-9a-f]{64}$/);
  const foreign = { ...ref, token: { storage: 'tape' } };
  await expect(digestOf(disks, foreign, folder, signal)).rejects.toMatchObject({
    code: 'TARGET_DISK_MISSING',
  });
});
