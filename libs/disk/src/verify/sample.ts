import { createHash } from 'node:crypto';

/** Numbers that depend on the seed alone, so that a report's sample can be drawn again. */
export interface SeededRandom {
  /** A whole number from 0 up to `limit`, not included. */
  below(limit: number): number;
}

/** A generator (sfc32) whose state is the SHA-256 of the seed. Not for secrets. */
export function createSeededRandom(seed: string): SeededRandom {
  const state = createHash('sha256').update(seed).digest();
  let a = state.readInt32LE(0);
  let b = state.readInt32LE(4);
  let c = state.readInt32LE(8);
  let d = state.readInt32LE(12);
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  return {
    // 53 bits, the width of a JavaScript number.
    below: (limit) => Math.floor((((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53) * limit),
  };
}

/** Keeps an even random choice of at most `size` values out of any number (reservoir sampling). */
export interface Reservoir {
  add(value: number): void;
  readonly values: readonly number[];
  /** How many were added. */
  readonly seen: number;
}

/** An empty reservoir; memory is `size` numbers. Equal neighbours count once. */
export function createReservoir(size: number, random: SeededRandom): Reservoir {
  const values: number[] = [];
  let seen = 0;
  let last: number | null = null;
  return {
    values,
    get seen() {
      return seen;
    },
    add: (value) => {
      if (value === last) return;
      last = value;
      seen += 1;
      if (values.length < size) {
        values.push(value);
        return;
      }
      const place = random.below(seen);
      if (place < size) values[place] = value;
    },
  };
}

/** `count` different numbers below `limit` in growing order; all of them when there are not more. */
export function chooseRanks(limit: number, count: number, random: SeededRandom): number[] {
  if (limit <= count) return Array.from({ length: limit }, (_, rank) => rank);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(random.below(limit));
  return [...chosen].sort((a, b) => a - b);
}

/** How likely a sample of `chosen` out of `total` blocks meets at least one wrong block when `share` of all are wrong. */
export function detectionProbability(chosen: number, total: number, share: number): number {
  const wrong = Math.ceil(total * share);
  if (wrong === 0) return 1;
  let missed = 1;
  for (let drawn = 0; drawn < chosen && missed > 0; drawn += 1) {
    missed *= Math.max(0, total - wrong - drawn) / (total - drawn);
  }
  return 1 - missed;
}
