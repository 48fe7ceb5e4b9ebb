import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';

/** Who a copy waits for. `checkpoint`: the caller who notes what is confirmed. */
type CopySide = 'read' | 'write' | 'checkpoint';

/**
 * Notices that a copy hangs, and on which side. It knows only bytes: the watch that a step has for its whole work (libs/steps, stallWatch)
 * also counts the CPU time of tools as life, covers all kinds of steps and cannot tell a side. Give this one the shorter allowance,
 * and its answer is the one that is seen.
 */
export interface StallDetector {
  /** Fires with the coded error as its reason. */
  readonly signal: AbortSignal;
  /** Watches one piece of work; its success counts as movement. */
  during<T>(side: CopySide, work: Promise<T>): Promise<T>;
  /** Time spent here does not count: a limit holds the copy. */
  held(work: Promise<void>): Promise<void>;
  /** Something moved that is no piece of work of its own. */
  moved(): void;
  stop(): void;
}

/** How long nothing may move. */
export interface StallParams {
  /** null = for ever. */
  readonly stallAfterMs: number | null;
  readonly clock: Clock;
  /** Called about every tenth of the allowance while a limit holds the copy. */
  readonly onHeld?: () => void;
}

type Pending = Record<CopySide, number>;

function stalled(stallAfterMs: number, pending: Pending): AppError {
  const sides = (['read', 'write', 'checkpoint'] as const).filter((side) => pending[side] > 0);
  // Between two pieces of work the copy asks the source for its map.
  const hangs = sides.length === 0 ? 'read' : sides.join(' and ');
  return new AppError({
    code: 'DISK_STALLED',
    message: `copy disk: no byte moved for ${stallAfterMs} ms, ${hangs} hangs (${pending.read} reads, ${pending.write} writes under way)`,
    details: { side: hangs, stallAfterMs, pendingReads: pending.read, pendingWrites: pending.write },
  });
}

/** Starts watching. Looks ten times per allowance, at most once a second and at least every 10 s. */
export function createStallDetector(params: StallParams): StallDetector {
  const { clock, stallAfterMs } = params;
  const fired = new AbortController();
  const ended = new AbortController();
  const pending: Pending = { read: 0, write: 0, checkpoint: 0 };
  let holds = 0;
  let last = clock.now();
  const moved = (): void => {
    last = clock.now();
  };
  const look = (allowanceMs: number): void => {
    if (holds > 0) {
      moved();
      params.onHeld?.();
    } else if (clock.now() - last >= allowanceMs) fired.abort(stalled(allowanceMs, pending));
  };
  const loop = async (allowanceMs: number): Promise<void> => {
    const intervalMs = Math.min(10_000, Math.max(1_000, allowanceMs / 10), allowanceMs);
    while (!ended.signal.aborted && !fired.signal.aborted) {
      await clock.sleep(intervalMs, ended.signal).catch(() => undefined);
      // A clock of a test may not sleep at all: the machine's own events must still get their turn.
      await nextTick();
      if (!ended.signal.aborted) look(allowanceMs);
    }
  };
  if (stallAfterMs !== null) void loop(stallAfterMs);
  return {
    signal: fired.signal,
    during: async (side, work) => {
      pending[side] += 1;
      try {
        const result = await work;
        moved();
        return result;
      } finally {
        pending[side] -= 1;
      }
    },
    held: async (work) => {
      holds += 1;
      try {
        await work;
      } finally {
        holds -= 1;
        moved();
      }
    },
    moved,
    stop: () => ended.abort(),
  };
}
