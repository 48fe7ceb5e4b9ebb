/** Rate and ETA of one counter over a sliding window; absolute values in, so a restart of either side does no harm. */
export interface RateMeter {
  /** Adds an observation; values may only grow, a smaller one starts afresh (a retry from zero). */
  observe(bytesDone: number, atMs: number): void;
  /** Bytes per second over the window; null before two observations. */
  bytesPerSecond(): number | null;
  /** ms until `bytesTotal`; null while the rate is unknown or zero. */
  etaMs(bytesTotal: number): number | null;
}

const windowMs = 10_000;

/** A meter over the last ten seconds. */
export function createRateMeter(): RateMeter {
  let points: { bytes: number; atMs: number }[] = [];
  const bytesPerSecond = (): number | null => {
    const first = points[0];
    const last = points.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return null;
    return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
  };
  return {
    observe: (bytes, atMs) => {
      const last = points.at(-1);
      if (last !== undefined && bytes < last.bytes) points = [];
      points.push({ bytes, atMs });
      while (points.length > 2 && (points[0]?.atMs ?? 0) < atMs - windowMs) points.shift();
    },
    bytesPerSecond,
    etaMs: (total) => {
      const rate = bytesPerSecond();
      const done = points.at(-1)?.bytes ?? 0;
      return rate === null || rate <= 0 ? null : ((total - done) * 1000) / rate;
    },
  };
}
