import type { Clock } from '@ascend/runtime';

/** Work that is repeated until it is stopped. */
export interface Loop {
  /** Does the next round now instead of after its pause. */
  wake(): void;
  /** Resolves when the round in work is done. Idempotent. */
  stop(): Promise<void>;
}

/** Repeats `round`, pausing as long as it says (ms). `round` must not reject. */
export function startLoop(clock: Clock, round: (signal: AbortSignal) => Promise<number>): Loop {
  const stopping = new AbortController();
  let nap = new AbortController();
  let woken = false;
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      woken = false;
      const pauseMs = await round(stopping.signal);
      // A wake during the round must not be lost in the pause after it.
      if (woken || stopping.signal.aborted) continue;
      nap = new AbortController();
      await clock.sleep(pauseMs, AbortSignal.any([nap.signal, stopping.signal])).catch(() => undefined);
    }
  };
  const running = run();
  return {
    wake: () => {
      woken = true;
      nap.abort();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
