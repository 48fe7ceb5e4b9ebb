import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createVirtualClock } from '../testing/virtualClock.ts';
import { chainThrottles, createBandwidthLimiter, type Throttle } from './bandwidth.ts';

const { signal } = new AbortController();

async function takeMany(
  throttle: Throttle,
  times: number,
  bytes: number,
  onTaken?: () => void,
): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    await throttle.take(bytes, signal);
    onTaken?.();
  }
}

test('a rate passes on average, whatever the sizes, and the first bytes at once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 100_000, max: 2 ** 40 }),
      fc.array(fc.integer({ min: 1, max: 2 ** 20 }), { minLength: 2, maxLength: 20 }),
      async (rate, sizes) => {
        const clock = createVirtualClock();
        const limiter = createBandwidthLimiter(rate, clock);
        await clock.run(limiter.take(sizes[0]!, signal));
        expect(clock.now()).toBe(0);
        for (const size of sizes.slice(1)) await clock.run(limiter.take(size, signal));
        const expectedMs = (sizes.slice(0, -1).reduce((sum, size) => sum + size, 0) / rate) * 1000;
        expect(clock.now()).toBeGreaterThanOrEqual(expectedMs - 0.01);
        // It counts in whole bytes and microseconds.
        expect(clock.now()).toBeLessThanOrEqual(expectedMs + 1000 / rate + sizes.length * 0.01);
      },
    ),
    { numRuns: 40 },
  );
});

test('a raised rate helps those who wait already, a removed cap lets them go', async () => {
  const clock = createVirtualClock();
  const limiter = createBandwidthLimiter(1000, clock);
  await limiter.take(100_000, signal);
  const waiting = limiter.take(1000, signal);
  await clock.advance(10_000);
  // 90 000 bytes are still ahead: 9 s at the new rate instead of 90.
  limiter.setRate(10_000);
  await clock.run(waiting);
  expect(clock.now()).toBe(19_000);
  const last = limiter.take(1, signal);
  limiter.setRate(null);
  await clock.run(last);
  expect(clock.now()).toBeLessThanOrEqual(19_200);
  expect(limiter.bytesPerSecond).toBeNull();
});

test('a lowered rate holds from then on, and a cap that is set again begins anew', async () => {
  const clock = createVirtualClock();
  const limiter = createBandwidthLimiter(null, clock);
  await clock.run(takeMany(limiter, 10, 1e9));
  expect(clock.now()).toBe(0);
  await clock.advance(60_000);
  limiter.setRate(1000);
  await clock.run(takeMany(limiter, 3, 1000));
  expect(clock.now()).toBe(62_000);
  limiter.setRate(100);
  await clock.run(limiter.take(1000, signal));
  // 1000 bytes of the old places are ahead, at the rate of now.
  expect(clock.now()).toBe(72_000);
});

test('what nobody used is not saved up', async () => {
  const clock = createVirtualClock();
  const limiter = createBandwidthLimiter(1000, clock);
  await limiter.take(1, signal);
  await clock.advance(3_600_000);
  const startMs = clock.now();
  await clock.run(takeMany(limiter, 11, 1000));
  // 100 ms of rate are granted after a pause, so that late timers cost nothing.
  expect(clock.now() - startMs).toBeGreaterThanOrEqual(9_900);
});

test('two streams get the same share of a common cap, and each keeps its own', async () => {
  const clock = createVirtualClock();
  const shared = createBandwidthLimiter(1_000_000, clock);
  const counts = { first: 0, second: 0, slow: 0 };
  const slow = chainThrottles([createBandwidthLimiter(100_000, clock), shared]);
  const work = Promise.all([
    takeMany(shared, 1000, 10_000, () => (counts.first += 1)),
    takeMany(shared, 1000, 10_000, () => (counts.second += 1)),
    takeMany(slow, 1000, 10_000, () => (counts.slow += 1)),
  ]);
  work.catch(() => undefined);
  await clock.advance(10_000);
  expect(Math.abs(counts.first - counts.second)).toBeLessThanOrEqual(2);
  expect(counts.slow).toBeGreaterThanOrEqual(98);
  expect(counts.slow).toBeLessThanOrEqual(102);
  const bytes = (counts.first + counts.second + counts.slow) * 10_000;
  expect(bytes).toBeGreaterThan(9_800_000);
  expect(bytes).toBeLessThan(10_100_000);
});

test('a caller whose signal fires leaves the line', async () => {
  const clock = createVirtualClock();
  const limiter = createBandwidthLimiter(1, clock);
  await limiter.take(1000, signal);
  const stop = new AbortController();
  const waiting = limiter.take(1, stop.signal);
  stop.abort();
  await expect(waiting).rejects.toThrow('stopped');
  await expect(limiter.take(1, AbortSignal.abort())).rejects.toThrow('abort');
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('a rate of %d is refused', (rate) => {
  expect(() => createBandwidthLimiter(rate)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
  const limiter = createBandwidthLimiter(5);
  expect(() => limiter.setRate(rate)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
  expect(limiter.bytesPerSecond).toBe(5);
});

test('threads that share a limiter lose no place to each other, also while the rate is being changed', async () => {
  const still = { now: () => 0, sleep: () => Promise.reject(new Error('would wait')) };
  const limiter = createBandwidthLimiter(1_000_000, still);
  const takes = 20_000;
  const body = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.url).then(async ({ attachBandwidthLimiter }) => {
      const clock = { now: () => 0, sleep: () => Promise.reject(new Error('would wait')) };
      const throttle = attachBandwidthLimiter(workerData.memory, clock);
      const { signal } = new AbortController();
      for (let n = 0; n < ${takes}; n += 1) await throttle.take(3, signal).catch(() => undefined);
      parentPort.postMessage('done');
    });`;
  const url = new URL('./bandwidth.ts', import.meta.url).href;
  const workers = [0, 1].map(
    () => new Worker(body, { eval: true, workerData: { url, memory: limiter.memory } }),
  );
  const ends = workers.map(
    (worker) =>
      new Promise<void>((resolve, reject) => {
        worker.once('exit', () => resolve());
        worker.once('error', reject);
      }),
  );
  let over = false;
  const all = Promise.all(ends).finally(() => (over = true));
  const change = (): void => {
    if (over) return;
    limiter.setRate(1 + Math.floor(Math.random() * 1e9));
    setImmediate(change);
  };
  change();
  await all;
  // The time stands still, so places are never caught up with: their end is the sum of all bytes.
  expect(new BigInt64Array(limiter.memory).at(-1)).toBe(BigInt(2 * takes * 3));
});
