import { AppError, isAppError, toAppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import type { Extent } from '../extent.ts';
import type { DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { monotonicClock } from './monotonicClock.ts';

/** How often and how patiently a call is repeated. JSON only. */
export interface RetryPolicy {
  /** Calls in all, the first included. */
  readonly attempts: number;
  /** Longest pause before the first repetition; it doubles from one to the next. */
  readonly baseMs: number;
  /** Longest pause at all. */
  readonly maxMs: number;
}

/** What a retry needs from its world. */
export interface RetryParams {
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Default: a clock that never jumps. */
  readonly clock?: Clock;
  /** Default: `Math.random`. */
  readonly random?: () => number;
}

/** Four calls within about two seconds: what a dropped connection or a busy server needs. */
export const defaultRetryPolicy: RetryPolicy = { attempts: 4, baseMs: 200, maxMs: 5_000 };

const retried = new Set(['unavailable', 'timeout']);

/**
 * The pause before repetition `repetition` (0 = the first): anything between 0 and the bound ("full jitter", so that many streams do not
 * come again at the same moment), but never less than what the other side asked for.
 */
function pauseMs(params: RetryParams, repetition: number, error: AppError): number {
  const { baseMs, maxMs } = params.policy;
  const bound = Math.min(maxMs, baseMs * 2 ** repetition);
  return Math.max((params.random ?? Math.random)() * bound, error.retryAfterMs ?? 0);
}

async function retrying<T>(params: RetryParams, ended: AbortSignal, call: () => Promise<T>): Promise<T> {
  const clock = params.clock ?? monotonicClock;
  for (let repetition = 0; ; repetition += 1) {
    try {
      return await call();
    } catch (cause) {
      const again = isAppError(cause) && retried.has(cause.category) && !ended.aborted;
      if (!again || repetition + 1 >= params.policy.attempts) throw cause;
      await clock
        .sleep(pauseMs(params, repetition, cause), AbortSignal.any([params.signal, ended]))
        .catch(() => undefined);
      if (params.signal.aborted) {
        throw new AppError({ code: 'OPERATION_CANCELLED', message: 'repeat call: cancelled', cause });
      }
      if (ended.aborted) throw cause;
    }
  }
}

/**
 * A sink whose calls are repeated when they fail with an error of category `unavailable` or `timeout`. Only calls that may be made twice
 * are: not `suspend`, and nothing of an ordered sink (its encoder cannot take a block again; put the retry below it). Once the sink is
 * finished, aborted or suspended nothing is repeated any more.
 */
export function retryingSink(sink: DiskSink, params: RetryParams): DiskSink {
  if (sink.ordered) return sink;
  const ended = new AbortController();
  const never = new AbortController().signal;
  const repeat = (call: () => Promise<void>): Promise<void> => retrying(params, ended.signal, call);
  return {
    alignmentBytes: sink.alignmentBytes,
    resumable: sink.resumable,
    ordered: sink.ordered,
    write: (offset, data) => repeat(() => sink.write(offset, data)),
    writeZeros: (offset, length) => repeat(() => sink.writeZeros(offset, length)),
    flush: () => repeat(() => sink.flush()),
    finish: async () => {
      await repeat(() => sink.finish());
      ended.abort();
    },
    // Cleaning up goes on after a cancel.
    abort: () => {
      ended.abort();
      return retrying({ ...params, signal: never }, never, () => sink.abort());
    },
    suspend: () => {
      ended.abort();
      return sink.suspend();
    },
  };
}

async function* retryExtents(
  source: DiskSource,
  params: RetryParams,
  range: { readonly from: number; readonly to: number },
): AsyncGenerator<Extent> {
  const clock = params.clock ?? monotonicClock;
  let repetition = 0;
  for (let at = range.from; at < range.to;) {
    try {
      for await (const extent of source.extents(at, range.to - at)) {
        yield extent;
        at = extent.offsetBytes + extent.lengthBytes;
        repetition = 0;
      }
      return;
    } catch (cause) {
      const error = toAppError(cause, 'read map');
      if (!retried.has(error.category) || repetition + 1 >= params.policy.attempts) throw cause;
      await clock.sleep(pauseMs(params, repetition, error), params.signal);
      repetition += 1;
    }
  }
}

/** A source whose reads are repeated likewise; the map goes on behind the last extent that was handed out. */
export function retryingSource(source: DiskSource, params: RetryParams): DiskSource {
  const ended = new AbortController();
  return {
    sizeBytes: source.sizeBytes,
    extents: (offset, length) => retryExtents(source, params, { from: offset, to: offset + length }),
    readInto: (offset, target) => retrying(params, ended.signal, () => source.readInto(offset, target)),
    assertUnchanged: () => retrying(params, ended.signal, () => source.assertUnchanged()),
    close: () => {
      ended.abort();
      return source.close();
    },
  };
}
