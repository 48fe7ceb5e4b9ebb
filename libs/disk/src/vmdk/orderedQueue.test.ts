import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOrderedQueue } from './orderedQueue.ts';

test('results are handed on in order, one at a time, whatever order the work ends in, and the window holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 6 }),
      async (scheduler, count, parallel, window) => {
        const emitted: number[] = [];
        let running = 0;
        let inWindow = 0;
        let emitting = 0;
        const queue = createOrderedQueue<number, number>({
          parallel,
          window,
          work: async (item) => {
            running += 1;
            inWindow += 1;
            expect(running).toBeLessThanOrEqual(parallel);
            expect(inWindow).toBeLessThanOrEqual(window);
            await scheduler.schedule(Promise.resolve());
            running -= 1;
            return item * 2;
          },
          emit: async (item, result) => {
            emitting += 1;
            expect(emitting).toBe(1);
            await scheduler.schedule(Promise.resolve());
            expect(result).toBe(item * 2);
            emitted.push(item);
            inWindow -= 1;
            emitting -= 1;
          },
        });
        const items = Array.from({ length: count }, (_, at) => at);
        const all = Promise.all(items.map((item) => queue.push(item)));
        await scheduler.waitFor(all);
        await queue.idle();
        expect(emitted).toEqual(items);
      },
    ),
    { numRuns: 30 },
  );
});

test('the first failure rejects all that waits and all that comes', async () => {
  const failure = new Error('work of 2');
  const emitted: number[] = [];
  const queue = createOrderedQueue<number, null>({
    parallel: 2,
    window: 4,
    work: async (item) => {
      await Promise.resolve();
      if (item === 2) throw failure;
      return null;
    },
    emit: async (item) => {
      await Promise.resolve();
      emitted.push(item);
    },
  });
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map((item) => queue.push(item)));
  expect(results.slice(2).every((result) => result.status === 'rejected')).toBe(true);
  expect(emitted.every((item) => item < 2)).toBe(true);
  await expect(queue.push(5)).rejects.toBe(failure);
  await expect(queue.idle()).rejects.toBe(failure);
});

test('stop ends what hangs', async () => {
  const queue = createOrderedQueue<number, null>({
    parallel: 1,
    window: 1,
    work: () => new Promise(() => undefined),
    emit: async () => {
      await Promise.resolve();
    },
  });
  const pushed = [queue.push(1), queue.push(2), queue.idle()];
  const cause = new Error('given up');
  queue.stop(cause);
  for (const result of await Promise.allSettled(pushed)) expect(result).toMatchObject({ reason: cause });
});
