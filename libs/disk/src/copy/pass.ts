import type { Clock } from '@ascend/runtime';
import type { Throttle } from './bandwidth.ts';
import type { CopyEnds } from './blockIo.ts';
import { blockBytes, type PlannedRun } from './blockPlan.ts';
import { createBufferPool } from './bufferPool.ts';
import { createCompletion, type BlockDigestListener } from './completion.ts';
import { createConfirmer } from './confirmer.ts';
import { createSlots } from './slots.ts';
import { createFreeTurns, createTurns, type Turn } from './turns.ts';

const confirmEveryBytes = 64 * 1024 * 1024;
const settleMs = 5000;
const zeroRunsAtOnce = 16;

/** Absolute counters of a copy. `bytesDone` of `bytesTotal`: data that was handled, moved or not; `bytesSkipped`: holes, zeros, already there. */
export interface CopyProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesSkipped: number;
}

/** One pass over the planned blocks of a disk. */
export interface RunBlocksParams extends CopyEnds {
  readonly runs: AsyncIterable<PlannedRun>;
  readonly bytesTotal: number;
  readonly resumeFromBytes: number;
  readonly hashing: boolean;
  readonly onBlockDigest?: BlockDigestListener | undefined;
  readonly poolBytes: number;
  readonly readsInFlight: number;
  readonly confirmEveryMs: number;
  readonly throttle: Throttle;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CopyProgress) => void;
  readonly onConfirmed: (offsetBytes: number) => Promise<void>;
}

/** The first failure of a pass; it stops the pass. */
function createFailure() {
  const stop = new AbortController();
  const state: { cause: unknown; failed: boolean } = { cause: undefined, failed: false };
  const stopped = new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return {
    /** Fires with the first failure. */
    signal: stop.signal,
    stopped,
    state,
    fail: (cause: unknown): void => {
      if (!state.failed) Object.assign(state, { cause, failed: true });
      stop.abort();
    },
  };
}

type Failure = ReturnType<typeof createFailure>;

/** The work in flight. */
function createWork(failure: Failure, clock: Clock) {
  const inFlight = new Set<Promise<void>>();
  return {
    /** Work on one run. A failure is known before the next one in line gets its turn. */
    launch: (turn: Turn, work: () => Promise<void>): void => {
      const run = async (): Promise<void> => {
        try {
          await work();
        } catch (cause) {
          failure.fail(cause);
        } finally {
          turn.pass();
        }
      };
      const tracked: Promise<void> = run().finally(() => inFlight.delete(tracked));
      inFlight.add(tracked);
    },
    /** Waits for all of it; after a failure only for a while, since a sink may hang. */
    settle: async (more: Promise<void>): Promise<void> => {
      const all = Promise.all([...inFlight, more]);
      if (!failure.state.failed) {
        await all;
        return;
      }
      const over = new AbortController();
      await Promise.race([all, clock.sleep(settleMs, over.signal).catch(() => undefined)]);
      over.abort();
    },
  };
}

/** The state of one pass: counters, the first failure, and the work in flight. */
export function createPass(params: RunBlocksParams) {
  const { sink, stall, clock } = params;
  const completion = createCompletion(params);
  const counters = { done: 0, skipped: 0, copied: 0 };
  const failure = createFailure();
  const work = createWork(failure, clock);
  const confirmer = createConfirmer({
    clock,
    everyBytes: confirmEveryBytes,
    everyMs: params.confirmEveryMs,
    startAt: params.resumeFromBytes,
    flush: () => stall.during('write', sink.flush()),
    onConfirmed: (offset) => stall.during('checkpoint', params.onConfirmed(offset)),
    onError: failure.fail,
  });
  return {
    completion,
    counters,
    confirmer,
    failure,
    launch: work.launch,
    settle: () => work.settle(confirmer.settle()),
    report: (): void => {
      params.onProgress({
        bytesDone: counters.done,
        bytesTotal: params.bytesTotal,
        bytesSkipped: counters.skipped,
      });
      // A sink that cannot go on after a cut has no use for points to go on from, and a flush may cost it dearly.
      if (sink.resumable) confirmer.advance(completion.position, counters.copied);
    },
    pools: {
      buffers: createBufferPool(Math.floor(params.poolBytes / blockBytes), blockBytes),
      reads: createSlots(params.readsInFlight),
      zeroRuns: createSlots(zeroRunsAtOnce),
    },
    turns: sink.ordered ? createTurns() : createFreeTurns(),
  };
}

/** What `createPass` makes. */
export type Pass = ReturnType<typeof createPass>;
