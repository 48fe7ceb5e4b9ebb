import type { Clock } from '@ascend/runtime';

/** Delays a caller so that on average no more than a rate passes. */
export interface Throttle {
  /** Resolves when `bytes` may pass. @throws AbortError when the signal fires first. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** A cap in bytes per second without burst; null = no cap. */
export function createThrottle(bytesPerSecond: number | null, clock: Clock): Throttle {
  let freeAtMs = 0;
  return {
    take: async (bytes, signal) => {
      if (bytesPerSecond === null) return;
      const now = clock.now();
      const startMs = Math.max(now, freeAtMs);
      freeAtMs = startMs + (bytes / bytesPerSecond) * 1000;
      if (startMs > now) await clock.sleep(startMs - now, signal);
    },
  };
}
