import { systemClock, type Clock } from '@ascend/runtime';

const firstMs = 100;
const lastMs = 5000;

/** Waits between attempts: full jitter, growing from 100 ms to 5 s. Who fails while another waits shares its wait. */
export interface Backoff {
  /** @throws AbortError when the signal fires first */
  wait(signal: AbortSignal): Promise<void>;
  /** It worked: the next wait is short again. */
  reset(): void;
}

/** `random`: 0…1, default the machine's. */
export function createBackoff(clock: Clock = systemClock, random: () => number = Math.random): Backoff {
  let limitMs = firstMs;
  let waiting: Promise<void> | null = null;
  const pause = async (signal: AbortSignal): Promise<void> => {
    const pauseMs = Math.ceil(random() * limitMs);
    limitMs = Math.min(limitMs * 2, lastMs);
    try {
      await clock.sleep(pauseMs, signal);
    } finally {
      waiting = null;
    }
  };
  return {
    wait: (signal) => (waiting ??= pause(signal)),
    reset: () => {
      limitMs = firstMs;
    },
  };
}
