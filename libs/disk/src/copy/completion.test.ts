import { createHash, hash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBandwidthLimiter } from './bandwidth.ts';
import { blockBytes } from './blockPlan.ts';
import { blockDigest, createCompletion } from './completion.ts';

test('the position grows only when all work before it is complete', () => {
  const completion = createCompletion();
  const run = (index: number) =>
    completion.start({ kind: 'zeros', offsetBytes: index * blockBytes, lengthBytes: blockBytes });
  const [first, second, third] = [run(0), run(1), run(2)];
  third?.(null);
  second?.(null);
  expect(completion.position).toBe(0);
  first?.(null);
  expect(completion.position).toBe(3 * blockBytes);
});

test('the digest does not depend on the order of completion, nor on how zeros are told', () => {
  const blocks = [1, 0, 0, 2, 0].map((value) => Buffer.alloc(blockBytes, value));
  const last = Buffer.alloc(512, 0);
  const expected = createHash('sha256');
  for (const block of [...blocks, last]) expected.update(hash('sha256', block, 'buffer'));
  const reference = expected.digest('hex');
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4, maxLength: 4 }), (order) => {
      const completion = createCompletion();
      const ends = [
        completion.start({ kind: 'data', offsetBytes: 0, lengthBytes: blockBytes, units: 1 }),
        completion.start({ kind: 'zeros', offsetBytes: blockBytes, lengthBytes: 2 * blockBytes }),
        completion.start({ kind: 'data', offsetBytes: 3 * blockBytes, lengthBytes: blockBytes, units: 1 }),
        completion.start({ kind: 'zeros', offsetBytes: 4 * blockBytes, lengthBytes: blockBytes + 512 }),
      ];
      const digests = [blockDigest(blocks[0]!), null, blockDigest(blocks[3]!), null];
      for (const index of order) ends[index]?.(digests[index] ?? null);
      expect(completion.digest()).toBe(reference);
    }),
  );
});

test('a hole of 64 TiB is digested in seconds', () => {
  const completion = createCompletion();
  const started = performance.now();
  completion.start({ kind: 'zeros', offsetBytes: 0, lengthBytes: 64 * 1024 ** 4 })(null);
  expect(completion.digest()).toHaveLength(64);
  expect(performance.now() - started).toBeLessThan(15_000);
});

test('a throttle lets a rate pass on average and none wait without a cap', async () => {
  let nowMs = 0;
  const clock = {
    now: () => nowMs,
    sleep: async (ms: number) => {
      await Promise.resolve();
      nowMs += ms;
    },
  };
  const { signal } = new AbortController();
  const capped = createBandwidthLimiter(1000, clock);
  for (let index = 0; index < 10; index += 1) await capped.take(500, signal);
  expect(nowMs).toBe(4500);
  nowMs = 0;
  await createBandwidthLimiter(null, clock).take(1e12, signal);
  expect(nowMs).toBe(0);
});
