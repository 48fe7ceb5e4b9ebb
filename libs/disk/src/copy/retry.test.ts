import { AppError, type ErrorCode } from '@ascend/errors';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Extent } from '../extent.ts';
import type { DiskSink } from '../sink.ts';
import { createMemorySink, createMemorySource } from '../testing/memoryEnds.ts';
import { createVirtualClock } from '../testing/virtualClock.ts';
import { retryingSink, retryingSource, type RetryParams } from './retry.ts';

const kib = 1024;
const error = (code: ErrorCode, retryAfterMs?: number): AppError =>
  new AppError({ code, message: 'planted', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
/** unavailable, timeout, and three that no repetition helps. */
const codes = [
  'DISK_IO_FAILED',
  'DISK_NBD_TIMEOUT',
  'DISK_SPACE_EXHAUSTED',
  'DISK_RANGE_INVALID',
  'INTERNAL_BUG',
] as const;
const repeated = new Set<ErrorCode>(['DISK_IO_FAILED', 'DISK_NBD_TIMEOUT']);

/** A sink whose calls fail by a script, one entry per call; behind its end they succeed. Notes when it was called. */
function scripted(script: readonly (ErrorCode | null)[], now: () => number, more: Partial<DiskSink> = {}) {
  const calls: number[] = [];
  const sink: DiskSink = {
    ...createMemorySink({ sizeBytes: 64 * kib, ordered: false }),
    write: () => {
      const code = script[calls.length] ?? null;
      calls.push(now());
      return code === null ? Promise.resolve() : Promise.reject(error(code));
    },
    ...more,
  };
  return { sink, calls };
}

test('a call is repeated after what may pass by itself, never after success, at most as often as allowed, with bounded pauses', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom<ErrorCode | null>(...codes, null), { maxLength: 8 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 8, maxLength: 8 }),
      async (script, attempts, baseMs, maxMs, randoms) => {
        const clock = createVirtualClock();
        const { sink, calls } = scripted(script, () => clock.now());
        let drawn = 0;
        const params: RetryParams = {
          policy: { attempts, baseMs, maxMs },
          signal: new AbortController().signal,
          clock,
          random: () => randoms[drawn++ % randoms.length]!,
        };
        const outcome = await clock.run(retryingSink(sink, params).write(0, Buffer.alloc(512))).then(
          () => null,
          (cause: AppError) => cause.code,
        );
        // What should have happened: on to the first success, error of another kind, or the last attempt.
        const ended = [...script, null].findIndex((code) => code === null || !repeated.has(code));
        const expected = Math.min(ended + 1, attempts);
        expect(calls).toHaveLength(expected);
        expect(outcome).toBe(script[expected - 1] ?? null);
        for (const [index, atMs] of calls.slice(1).entries()) {
          const bound = Math.min(maxMs, baseMs * 2 ** index);
          expect(atMs - calls[index]!).toBeCloseTo(randoms[index]! * bound, 6);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('the other side is left alone for as long as it asks', async () => {
  const clock = createVirtualClock();
  const calls: number[] = [];
  const sink: DiskSink = {
    ...createMemorySink({ sizeBytes: 512, ordered: false }),
    flush: async () => {
      calls.push(clock.now());
      await Promise.resolve();
      if (calls.length === 1) throw error('DISK_IO_FAILED', 7000);
    },
  };
  const params = {
    policy: { attempts: 2, baseMs: 1, maxMs: 1 },
    signal: new AbortController().signal,
    clock,
  };
  await clock.run(retryingSink(sink, params).flush());
  expect(calls).toEqual([0, 7000]);
});

test('a cancel ends the pause with its code and the cause, and no call follows', async () => {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const { sink, calls } = scripted(['DISK_IO_FAILED'], () => clock.now());
  const params = {
    policy: { attempts: 9, baseMs: 1e6, maxMs: 1e6 },
    signal: stop.signal,
    clock,
    random: () => 0.5,
  };
  const writing = retryingSink(sink, params).write(0, Buffer.alloc(512));
  writing.catch(() => undefined);
  await clock.advance(10);
  stop.abort();
  await expect(writing).rejects.toMatchObject({
    code: 'OPERATION_CANCELLED',
    cause: expect.objectContaining({ code: 'DISK_IO_FAILED' }),
  });
  expect(calls).toHaveLength(1);
});

test.each(['abort', 'suspend'] as const)('after %s a call that failed is not repeated', async (end) => {
  const clock = createVirtualClock();
  const { sink, calls } = scripted(['DISK_IO_FAILED'], () => clock.now());
  const params = {
    policy: { attempts: 9, baseMs: 1e6, maxMs: 1e6 },
    signal: new AbortController().signal,
    clock,
    random: () => 0.5,
  };
  const retrying = retryingSink(sink, params);
  const writing = retrying.write(0, Buffer.alloc(512));
  writing.catch(() => undefined);
  await clock.advance(10);
  await retrying[end]();
  await expect(writing).rejects.toMatchObject({ code: 'DISK_IO_FAILED' });
  await clock.advance(1e7);
  expect(calls).toHaveLength(1);
});

test('an aborted sink is removed although the copy was cancelled and the first try failed', async () => {
  const clock = createVirtualClock();
  let aborts = 0;
  const abort = async (): Promise<void> => {
    aborts += 1;
    await Promise.resolve();
    if (aborts === 1) throw error('DISK_IO_FAILED');
  };
  const { sink } = scripted([], () => clock.now(), { abort });
  const params = { policy: { attempts: 2, baseMs: 10, maxMs: 10 }, signal: AbortSignal.abort(), clock };
  await clock.run(retryingSink(sink, params).abort());
  expect(aborts).toBe(2);
});

test('an ordered sink is never called twice for one block', () => {
  const sink = createMemorySink({ sizeBytes: 512, ordered: true });
  const params = { policy: { attempts: 9, baseMs: 1, maxMs: 1 }, signal: new AbortController().signal };
  expect(retryingSink(sink, params)).toBe(sink);
});

test('a source reads again, and its map goes on behind what was handed out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), async (failures) => {
      const clock = createVirtualClock();
      const parts = Array.from({ length: 6 }, (_, index) => ({
        kind: index % 2 === 0 ? ('data' as const) : ('hole' as const),
        lengthBytes: 4096,
        fill: index + 1,
      }));
      const source = createMemorySource(parts, () => Promise.resolve());
      let asked = 0;
      const flaky = {
        ...source,
        async *extents(offset: number, length: number): AsyncGenerator<Extent> {
          for await (const extent of source.extents(offset, length)) {
            if (failures[asked++] === true) throw error('DISK_NBD_TIMEOUT');
            yield extent;
          }
        },
        readInto: async (offset: number, target: Uint8Array) => {
          if (failures[asked++] === true) throw error('DISK_IO_FAILED');
          await source.readInto(offset, target);
        },
      };
      const params = {
        policy: { attempts: 20, baseMs: 5, maxMs: 50 },
        signal: new AbortController().signal,
        clock,
      };
      const retrying = retryingSource(flaky, params);
      const read = async () => {
        const found: Extent[] = [];
        for await (const extent of retrying.extents(0, source.sizeBytes)) found.push(extent);
        const target = Buffer.alloc(source.sizeBytes);
        await retrying.readInto(0, target);
        return { found, target };
      };
      const { found, target } = await clock.run(read());
      expect(found.map((extent) => extent.offsetBytes)).toEqual([0, 4096, 8192, 12_288, 16_384, 20_480]);
      expect(target.equals(source.bytes)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
