import { expect, it } from 'vitest';
import { silentLogger, systemClock, Secret } from '@ascend/runtime';
import type { ConnectorDeps } from '../connector.ts';
import { describeConnector } from './contractSuite.ts';
import { createMemoryPlatform } from './memoryConnector.ts';
import { sampleDisk, sampleVm } from './samples.ts';
import { pattern } from './suiteWorld.ts';

const signal = new AbortController().signal;
const deps: ConnectorDeps = {
  logger: silentLogger,
  clock: systemClock,
  secrets: async () => new Secret('none'),
  workDir: '/nonexistent',
};

function putForeignVm(platform: ReturnType<typeof createMemoryPlatform>, name: string): void {
  const id = `foreign-${name}`;
  platform.vms.set(id, {
    id,
    name,
    ownedName: null,
    jobId: null,
    diskNames: [],
    running: false,
    notes: null,
  });
}

describeConnector({
  name: 'in-memory platform',
  setup: async () => {
    const platform = createMemoryPlatform();
    return {
      connector: platform.connector,
      connection: { region: 'here' },
      invalidConnections: [null, 'here', {}, { region: '' }, { region: 1 }, { region: 'here', more: 1 }],
      deps,
      storage: 'fast',
      network: 'lan',
      starts: true,
      readDisk: async (ref, offset, length) =>
        platform.disks.get(ref.name)?.read(offset, length) ?? new Uint8Array(),
      putForeignVm: async (name) => putForeignVm(platform, name),
      countVms: async () => platform.vms.size,
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
});

async function start() {
  const platform = createMemoryPlatform();
  const session = await platform.connector.open({ region: 'here' }, deps);
  const disk = sampleDisk({ diskIndex: 0, sizeBytes: 1 << 20, storage: 'fast', bus: 'virtio-blk' });
  const openSink = () => session.openSink({ name: 'ours', jobId: 'job', disk, resume: true, signal });
  return { platform, session, disk, openSink };
}

it('fails the nth call only, before it does anything', async () => {
  const { platform, openSink } = await start();
  platform.script.inject({ call: 'openSink', nth: 2, kind: 'fail' });
  await openSink();
  platform.disks.clear();
  await expect(openSink()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect(platform.disks.size).toBe(0);
  await openSink();
  expect(platform.disks.size).toBe(1);
});

it('throttles with a waiting time', async () => {
  const { platform, session } = await start();
  platform.script.inject({ call: 'inventory', nth: 1, kind: 'throttle', delayMs: 250 });
  await expect(session.inventory(signal)).rejects.toMatchObject({
    code: 'TARGET_THROTTLED',
    retry: 'after',
    retryAfterMs: 250,
  });
});

it('cuts a body in the middle: half of the bytes are there', async () => {
  const { platform, openSink } = await start();
  const { sink } = await openSink();
  platform.script.inject({ call: 'write', nth: 1, kind: 'cut' });
  await expect(sink.write(0, pattern(1, 4096))).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect(platform.disks.get('ours')?.read(0, 4096)).toEqual(
    Uint8Array.from([...pattern(1, 4096).subarray(0, 2048), ...new Uint8Array(2048)]),
  );
});

it('loses the answer of a call that did its work', async () => {
  const { platform, session, openSink, disk } = await start();
  const { sink, ref } = await openSink();
  await sink.finish();
  const vm = sampleVm({ name: 'lost', disks: [disk], nics: [] });
  const params = { jobId: 'job', ownedName: 'ours-vm', vm, firmware: 'bios' as const, nics: [], signal };
  platform.script.inject({ call: 'createVm', nth: 1, kind: 'lose-answer' });
  const create = () => session.createVm({ ...params, disks: [{ planned: disk, ref }] });
  await expect(create()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect(platform.vms.size).toBe(1);
  await create();
  expect(platform.vms.size).toBe(1);
});

it('answers late without losing the answer', async () => {
  const waits: number[] = [];
  const clock = { ...systemClock, sleep: async (ms: number) => void waits.push(ms) };
  const platform = createMemoryPlatform({ clock });
  const session = await platform.connector.open({ region: 'here' }, deps);
  platform.script.inject({ call: 'inventory', nth: 1, kind: 'late', delayMs: 5000 });
  expect((await session.inventory(signal)).cpuCount).toBe(8);
  expect(waits).toEqual([5000]);
});

it('lists what was true before the last change when the listing is stale', async () => {
  const { platform, session, openSink } = await start();
  await openSink();
  platform.script.inject({ call: 'findOwned', nth: 1, kind: 'stale' });
  expect(await session.findOwned('job', signal)).toEqual([]);
  expect(await session.findOwned('job', signal)).toHaveLength(1);
});

it('does not change anything for a call whose signal has fired', async () => {
  const { platform, session, disk } = await start();
  const params = { name: 'ours', jobId: 'job', disk, resume: true, signal: AbortSignal.abort() };
  await expect(session.openSink(params)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  expect(platform.script.count('openSink')).toBe(0);
});
