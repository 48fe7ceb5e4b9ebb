import { createHash } from 'node:crypto';
import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '@ascend/errors';
import { expect, test } from 'vitest';
import type { DiskSink } from '../sink.ts';
import {
  createMemorySink,
  createMemorySource,
  type MemoryExtent,
  type MemorySource,
} from '../testing/memoryEnds.ts';
import { createVirtualClock } from '../testing/virtualClock.ts';
import { createBandwidthLimiter } from './bandwidth.ts';
import { copyDisk, type CopyDiskParams } from './copyDisk.ts';

const mib = 1024 * 1024;

function data(lengthBytes: number, fill: number): MemoryExtent {
  return { kind: 'data', lengthBytes, fill };
}

function copy(source: MemorySource, sink: DiskSink, more: Partial<CopyDiskParams> = {}) {
  return copyDisk({
    source,
    sink,
    targetSizeBytes: source.sizeBytes,
    workDir: '/nowhere',
    signal: new AbortController().signal,
    bandwidthBytesPerSecond: null,
    resumeFromBytes: 0,
    onProgress: () => undefined,
    onConfirmed: () => Promise.resolve(),
    ...more,
  });
}

test('an ordered sink has as many blocks at once as the pool holds, called in order, while reads end in any order', async () => {
  const sizeBytes = 40 * mib;
  // The first reads end last.
  const source = createMemorySource([data(sizeBytes, 5)], async (offset) => {
    for (let round = (offset / mib) % 12; round < 12; round += 1) await nextTick();
  });
  let [waiting, most] = [0, 0];
  const held: (() => void)[] = [];
  const sink = createMemorySink({
    sizeBytes,
    ordered: true,
    // No call ends before 12 wait: a copy that waited for one before making the next would hang here.
    delay: async (call) => {
      waiting += 1;
      most = Math.max(most, waiting);
      if (waiting < 12 && call.offsetBytes < 32 * mib)
        await new Promise<void>((resolve) => held.push(resolve));
      else for (const release of held.splice(0)) release();
      waiting -= 1;
    },
  });
  await copy(source, sink);
  expect(most).toBe(12);
  expect(sink.bytes.equals(source.bytes)).toBe(true);
  expect(sink.calls.map((call) => call.offsetBytes)).toEqual(Array.from({ length: 40 }, (_, n) => n * mib));
});

test('behind a block that could not be read an ordered sink gets nothing', async () => {
  const failure = new AppError({ code: 'DISK_IO_FAILED', message: 'planted' });
  const source = createMemorySource(
    [data(4 * mib, 1), { kind: 'hole', lengthBytes: 4 * mib, fill: 0 }, data(4 * mib, 2)],
    async (offset) => {
      if (offset !== 2 * mib) return;
      // All others have long been read then.
      for (let round = 0; round < 50; round += 1) await nextTick();
      throw failure;
    },
  );
  const sink = createMemorySink({ sizeBytes: source.sizeBytes, ordered: true });
  await expect(copy(source, sink)).rejects.toBe(failure);
  expect(sink.calls.map((call) => call.offsetBytes)).toEqual([0, mib]);
});

test('a long hole is told to an ordered sink in pieces, so that the copy is seen to move', async () => {
  const source = createMemorySource([
    data(mib, 1),
    { kind: 'hole', lengthBytes: 200 * mib, fill: 0 },
    data(mib, 2),
  ]);
  const sink = createMemorySink({ sizeBytes: source.sizeBytes, ordered: true });
  await copy(source, sink);
  expect(sink.calls.map((call) => call.lengthBytes / mib)).toEqual([1, 64, 64, 64, 8, 1]);
  expect(sink.bytes.equals(source.bytes)).toBe(true);
});

test('a sink that is not resumable is flushed and confirmed only at the end', async () => {
  const source = createMemorySource([data(8 * mib, 1)]);
  const sink = createMemorySink({ sizeBytes: source.sizeBytes, ordered: true });
  const confirmed: number[] = [];
  let nowMs = 0;
  const clock = { now: () => (nowMs += 10_000), sleep: () => nextTick() };
  await copy(source, sink, {
    clock,
    stallAfterMs: null,
    onConfirmed: async (offset) => void confirmed.push(offset),
  });
  expect(confirmed).toEqual([8 * mib]);
  expect(sink.flushes()).toBe(1);
});

test('an ordered sink starts at zero whatever was confirmed before', async () => {
  const source = createMemorySource([data(4 * mib, 9)]);
  const sink = createMemorySink({ sizeBytes: source.sizeBytes, ordered: true });
  const result = await copy(source, sink, { resumeFromBytes: 3 * mib });
  expect(result.bytesCopied).toBe(4 * mib);
  expect(sink.bytes.equals(source.bytes)).toBe(true);
});

test('without a digest nothing is hashed, and what was confirmed is not read again', async () => {
  const source = createMemorySource([data(8 * mib, 1)]);
  const sink = createMemorySink({ sizeBytes: source.sizeBytes, ordered: false });
  let last = { bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 };
  const result = await copy(source, sink, {
    digest: 'none',
    resumeFromBytes: 5 * mib,
    onProgress: (progress) => (last = progress),
  });
  expect(result).toEqual({ bytesCopied: 3 * mib, bytesSkipped: 5 * mib, sha256: null });
  expect(Math.min(...source.reads)).toBe(5 * mib);
  expect(last).toEqual({ bytesDone: 8 * mib, bytesTotal: 8 * mib, bytesSkipped: 5 * mib });
});

test('the digests of the blocks come in order, and those of zeros are left out', async () => {
  const parts = [data(2 * mib, 1), data(mib, 0), { kind: 'hole' as const, lengthBytes: mib, fill: 0 }];
  const source = createMemorySource([...parts, data(mib, 3), data(512, 4)], async (offset) => {
    for (let round = 0; round < 8 - offset / mib; round += 1) await nextTick();
  });
  const sink = createMemorySink({ sizeBytes: source.sizeBytes, ordered: false });
  const found: [number, string][] = [];
  await copy(source, sink, {
    onBlockDigest: (index, digest) => found.push([index, Buffer.from(digest).toString('hex')]),
  });
  const expected = [0, 1, 4, 5].map((index): [number, string] => {
    const block = source.bytes.subarray(index * mib, (index + 1) * mib);
    return [index, createHash('sha256').update(block).digest('hex')];
  });
  expect(found).toEqual(expected);
});

test('depth and pool are what was asked for', async () => {
  const run = async (more: Partial<CopyDiskParams>): Promise<number> => {
    const source = createMemorySource([data(64 * mib, 1)], async () => {
      for (let round = 0; round < 5; round += 1) await nextTick();
    });
    const sink = createMemorySink({ sizeBytes: source.sizeBytes, ordered: false });
    await copy(source, sink, more);
    return source.mostReads();
  };
  expect(await run({})).toBe(12);
  expect(await run({ readsInFlight: 3 })).toBe(3);
  expect(await run({ poolBytes: 32 * mib, readsInFlight: 32 })).toBe(32);
  expect(await run({ poolBytes: 2 * mib })).toBe(2);
  await expect(run({ poolBytes: mib - 1 })).rejects.toMatchObject({ code: 'INTERNAL_BUG' });
  await expect(run({ readsInFlight: 0 })).rejects.toMatchObject({ code: 'INTERNAL_BUG' });
});

test('the cap of a copy and one that it shares hold both, and the shared one may change while it runs', async () => {
  const clock = createVirtualClock();
  const shared = createBandwidthLimiter(4 * mib, clock);
  const open = () => {
    const source = createMemorySource([data(10 * mib, 1)]);
    return { source, sink: createMemorySink({ sizeBytes: source.sizeBytes, ordered: false }) };
  };
  const timeOf = async (work: Promise<unknown>): Promise<number> => {
    const startMs = clock.now();
    await clock.run(work);
    return clock.now() - startMs;
  };
  const one = open();
  const own = { bandwidthBytesPerSecond: mib, throttles: [shared], clock };
  // The first block passes at once.
  expect(await timeOf(copy(one.source, one.sink, own))).toBeGreaterThanOrEqual(9_000);
  const [two, three] = [open(), open()];
  const common = { throttles: [shared], clock };
  const both = Promise.all([copy(two.source, two.sink, common), copy(three.source, three.sink, common)]);
  const tookMs = await timeOf(both);
  expect(tookMs).toBeGreaterThanOrEqual(4_600);
  expect(tookMs).toBeLessThanOrEqual(6_000);
  const four = open();
  const copying = copy(four.source, four.sink, common);
  copying.catch(() => undefined);
  await clock.advance(1_000);
  shared.setRate(null);
  expect(await timeOf(copying)).toBeLessThanOrEqual(400);
});

test('with a policy the calls of both sides are repeated', async () => {
  let [reads, writes] = [0, 0];
  const failure = new AppError({ code: 'DISK_IO_FAILED', message: 'planted' });
  const source = createMemorySource([data(4 * mib, 1)], async () => {
    await nextTick();
    if ((reads += 1) % 3 === 1) throw failure;
  });
  const sink = createMemorySink({
    sizeBytes: source.sizeBytes,
    ordered: false,
    delay: async () => {
      await nextTick();
      if ((writes += 1) % 3 === 1) throw failure;
    },
  });
  await expect(copy(source, sink)).rejects.toBe(failure);
  const clock = createVirtualClock();
  const result = await clock.run(
    copy(source, sink, { retry: { attempts: 6, baseMs: 100, maxMs: 1000 }, clock }),
  );
  expect(result.bytesCopied).toBe(4 * mib);
  expect(sink.bytes.equals(source.bytes)).toBe(true);
});

test('a copy of nothing is a bug, and is said to be one', async () => {
  const sink = createMemorySink({ sizeBytes: mib, ordered: false });
  const copying = copyDisk({
    sink,
    targetSizeBytes: mib,
    workDir: '/nowhere',
    signal: new AbortController().signal,
    bandwidthBytesPerSecond: null,
    resumeFromBytes: 0,
    onProgress: () => undefined,
    onConfirmed: () => Promise.resolve(),
  });
  await expect(copying).rejects.toMatchObject({ code: 'INTERNAL_BUG' });
});
