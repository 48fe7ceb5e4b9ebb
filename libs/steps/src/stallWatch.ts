import type { Clock } from '@ascend/runtime';

/** Fires when nothing moved for a while (D15): no wall limit as long as something does. */
export interface StallWatch {
  readonly signal: AbortSignal;
  /** Something grew. */
  alive(): void;
  stop(): void;
}

/** What counts as life beside `alive`. */
export interface StallWatchParams {
  /** null = never stalls. */
  readonly stallAfterMs: number | null;
  readonly clock: Clock;
  /** Any number that changes while child processes work, e.g. their CPU time. */
  readonly workDone?: () => Promise<number>;
}

/** Starts watching. Looks ten times per allowance, at most once a second and at least every 10 s. */
export function watchForStall(params: StallWatchParams): StallWatch {
  const fired = new AbortController();
  const ended = new AbortController();
  let last = params.clock.now();
  let work: number | null = null;

  const look = async (allowance: number): Promise<void> => {
    const now = (await params.workDone?.().catch(() => null)) ?? null;
    if (now !== work) last = params.clock.now();
    work = now;
    if (params.clock.now() - last >= allowance) fired.abort();
  };
  const loop = async (allowance: number): Promise<void> => {
    const interval = Math.min(10_000, Math.max(1_000, allowance / 10), allowance);
    while (!ended.signal.aborted && !fired.signal.aborted) {
      await params.clock.sleep(interval, ended.signal).catch(() => undefined);
      if (!ended.signal.aborted) await look(allowance);
    }
  };
  if (params.stallAfterMs !== null) void loop(params.stallAfterMs);
  return {
    signal: fired.signal,
    alive: () => {
      last = params.clock.now();
    },
    stop: () => ended.abort(),
  };
}
