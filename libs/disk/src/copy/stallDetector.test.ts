import { expect, test } from 'vitest';
import {
  createMemorySink,
  createMemorySource,
  type MemorySink,
  type MemorySource,
} from '../testing/memoryEnds.ts';
import { createVirtualClock, type VirtualClock } from '../testing/virtualClock.ts';
import { copyDisk, type CopyDiskParams } from './copyDisk.ts';

const mib = 1024 * 1024;
const sizeBytes = 24 * mib;
const whole = [{ kind: 'data' as const, lengthBytes: sizeBytes, fill: 7 }];
const never = (): Promise<void> => new Promise(() => undefined);

function copy(
  clock: VirtualClock,
  source: MemorySource,
  sink: MemorySink,
  more: Partial<CopyDiskParams> = {},
): ReturnType<typeof copyDisk> {
  return copyDisk({
    source,
    sink,
    targetSizeBytes: sizeBytes,
    workDir: '/nowhere',
    signal: new AbortController().signal,
    bandwidthBytesPerSecond: null,
    resumeFromBytes: 0,
    onProgress: () => undefined,
    onConfirmed: () => Promise.resolve(),
    clock,
    ...more,
  });
}

test.each([
  ['read', 'a read', (at: number) => (at >= 8 * mib ? never() : Promise.resolve()), undefined],
  ['write', 'a write', undefined, (at: number) => (at >= 8 * mib ? never() : Promise.resolve())],
])('%s is named when %s hangs', async (side, _, reading, writing) => {
  const clock = createVirtualClock();
  const source = createMemorySource(whole, reading);
  const sink = createMemorySink({
    sizeBytes,
    ordered: false,
    ...(writing === undefined ? {} : { delay: (call) => writing(call.offsetBytes) }),
  });
  await expect(clock.run(copy(clock, source, sink))).rejects.toMatchObject({
    code: 'DISK_STALLED',
    category: 'timeout',
    details: expect.objectContaining({ side, stallAfterMs: 120_000 }),
  });
  expect(clock.now()).toBeGreaterThanOrEqual(120_000);
  expect(clock.now()).toBeLessThanOrEqual(140_000);
});

test('read is named when the map of the source hangs', async () => {
  const clock = createVirtualClock();
  const source = createMemorySource(whole);
  const hanging = {
    ...source,
    // oxlint-disable-next-line require-yield -- it hangs before the first extent
    async *extents() {
      await never();
    },
  };
  const sink = createMemorySink({ sizeBytes, ordered: false });
  await expect(clock.run(copy(clock, hanging, sink))).rejects.toMatchObject({
    code: 'DISK_STALLED',
    details: expect.objectContaining({ side: 'read' }),
  });
});

test.each([
  ['write', { flush: never }, {}],
  ['checkpoint', {}, { onConfirmed: never }],
] as const)('%s is named when the last confirmation hangs there', async (side, sinkPart, params) => {
  const clock = createVirtualClock();
  const sink = { ...createMemorySink({ sizeBytes, ordered: false }), ...sinkPart };
  await expect(clock.run(copy(clock, createMemorySource(whole), sink, params))).rejects.toMatchObject({
    code: 'DISK_STALLED',
    details: expect.objectContaining({ side }),
  });
});

test('slow is not stalled: one block in each allowance is enough', async () => {
  const clock = createVirtualClock();
  const source = createMemorySource(whole, () => clock.sleep(90_000));
  const sink = createMemorySink({ sizeBytes, ordered: false });
  await clock.run(copy(clock, source, sink, { readsInFlight: 1 }));
  expect(sink.bytes.equals(source.bytes)).toBe(true);
  expect(clock.now()).toBeGreaterThan(24 * 90_000 - 1);
});

test('a copy that a cap holds is not stalled, and says that it lives', async () => {
  const clock = createVirtualClock();
  const source = createMemorySource(whole);
  const sink = createMemorySink({ sizeBytes, ordered: false });
  let held = 0;
  // A block every 256 s.
  const more = { bandwidthBytesPerSecond: 4096, onHeld: () => void (held += 1) };
  await clock.run(copy(clock, source, sink, more));
  expect(sink.bytes.equals(source.bytes)).toBe(true);
  expect(held).toBeGreaterThan(23 * 15);
});

test('without an allowance a copy waits for ever', async () => {
  const clock = createVirtualClock();
  const sink = createMemorySink({ sizeBytes, ordered: false });
  const stop = new AbortController();
  const source = createMemorySource(whole, never);
  const copying = copy(clock, source, sink, { stallAfterMs: null, signal: stop.signal });
  copying.catch(() => undefined);
  await clock.advance(86_400_000);
  stop.abort();
  await expect(clock.run(copying)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
});
