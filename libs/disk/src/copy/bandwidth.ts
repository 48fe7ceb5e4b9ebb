import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { monotonicClock } from './monotonicClock.ts';

/** Delays a caller so that on average no more than a rate passes. */
export interface Throttle {
  /** Resolves when `bytes` may pass; callers pass in the order in which they asked. @throws AbortError when the signal fires first. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** A cap in bytes per second for any number of streams and threads together. */
export interface BandwidthLimiter extends Throttle {
  /** null = no cap. */
  readonly bytesPerSecond: number | null;
  /** Takes effect within 200 ms, for those who wait already too. null = no cap. @throws {AppError} INPUT_INVALID - not above 0 */
  setRate(bytesPerSecond: number | null): void;
  /** What another thread of this process needs to take part, by `attachBandwidthLimiter`. */
  readonly memory: SharedArrayBuffer;
}

// Words of the shared memory. The schedule (rate, base, since) has one writer, the thread that made the limiter; `sequence` is odd while
// it writes. Nobody ever waits for a lock, so a thread that is ended at any point holds up no other.
const [sequence, rateWord, baseWord, sinceWord, grantedWord] = [0, 1, 2, 3, 4];
const wordCount = 5;
// How soon a waiting caller sees a changed rate.
const recheckMs = 200;
// What may be saved up while nobody asked: timers fire late by a millisecond or two, and without this each of them would cost rate.
const burstMs = 100n;
const usPerSecond = 1_000_000n;

/** Bytes may pass up to `base + rate × (now − since)`, counted from the limiter's beginning. `rate` 0 = no cap. */
interface Schedule {
  readonly rate: bigint;
  readonly base: bigint;
  readonly sinceUs: bigint;
}

function readSchedule(words: BigInt64Array): Schedule {
  for (;;) {
    const before = Atomics.load(words, sequence);
    const rate = Atomics.load(words, rateWord);
    const base = Atomics.load(words, baseWord);
    const sinceUs = Atomics.load(words, sinceWord);
    if ((before & 1n) === 0n && Atomics.load(words, sequence) === before) return { rate, base, sinceUs };
  }
}

function writeSchedule(words: BigInt64Array, schedule: Schedule): void {
  Atomics.add(words, sequence, 1n);
  Atomics.store(words, rateWord, schedule.rate);
  Atomics.store(words, baseWord, schedule.base);
  Atomics.store(words, sinceWord, schedule.sinceUs);
  Atomics.add(words, sequence, 1n);
}

function allowedAt(schedule: Schedule, nowUs: bigint): bigint {
  const elapsed = nowUs > schedule.sinceUs ? nowUs - schedule.sinceUs : 0n;
  return schedule.base + (schedule.rate * elapsed) / usPerSecond;
}

/** Takes a place in the queue of bytes: where it begins, or null when there is no cap. */
function reserve(words: BigInt64Array, bytes: bigint, nowUs: () => bigint): bigint | null {
  for (;;) {
    const schedule = readSchedule(words);
    if (schedule.rate === 0n) return null;
    const granted = Atomics.load(words, grantedWord);
    const saved = allowedAt(schedule, nowUs()) - (schedule.rate * burstMs) / 1000n;
    const place = granted > saved ? granted : saved;
    if (Atomics.compareExchange(words, grantedWord, granted, place + bytes) === granted) return place;
  }
}

/** The limiter that lies in `memory`, for a thread that did not make it. The clock must be that of the maker. */
export function attachBandwidthLimiter(memory: SharedArrayBuffer, clock: Clock = monotonicClock): Throttle {
  const words = new BigInt64Array(memory);
  const nowUs = (): bigint => BigInt(Math.round(clock.now() * 1000));
  return {
    take: async (bytes, signal) => {
      signal.throwIfAborted();
      if (bytes <= 0 || Atomics.load(words, rateWord) === 0n) return;
      const place = reserve(words, BigInt(Math.ceil(bytes)), nowUs);
      if (place === null) return;
      for (;;) {
        const schedule = readSchedule(words);
        const missing = place - allowedAt(schedule, nowUs());
        if (schedule.rate === 0n || missing <= 0n) return;
        const waitUs = Math.ceil((Number(missing) * 1e6) / Number(schedule.rate));
        await clock.sleep(Math.min(waitUs / 1000, recheckMs), signal);
      }
    },
  };
}

function wholeRate(bytesPerSecond: number | null): bigint {
  if (bytesPerSecond === null) return 0n;
  if (bytesPerSecond > 0 && Number.isFinite(bytesPerSecond)) {
    return BigInt(Math.min(Number.MAX_SAFE_INTEGER, Math.max(1, Math.floor(bytesPerSecond))));
  }
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `limit bandwidth: ${bytesPerSecond} bytes per second is no rate`,
  });
}

/**
 * Makes a limiter. Streams that share it pass in the order in which they ask, block by block, so that each gets the same share;
 * what nobody used is not saved up beyond 100 ms.
 *
 * @throws {AppError} INPUT_INVALID - a rate that is not above 0
 */
export function createBandwidthLimiter(
  bytesPerSecond: number | null,
  clock: Clock = monotonicClock,
): BandwidthLimiter {
  const memory = new SharedArrayBuffer(wordCount * BigInt64Array.BYTES_PER_ELEMENT);
  const words = new BigInt64Array(memory);
  const nowUs = (): bigint => BigInt(Math.round(clock.now() * 1000));
  writeSchedule(words, { rate: wholeRate(bytesPerSecond), base: 0n, sinceUs: nowUs() });
  return {
    get bytesPerSecond() {
      const { rate } = readSchedule(words);
      return rate === 0n ? null : Number(rate);
    },
    setRate: (next) => {
      const rate = wholeRate(next);
      const old = readSchedule(words);
      const sinceUs = nowUs();
      // Without a cap nobody counted: the new one begins behind the places that were given before.
      const base = old.rate === 0n ? Atomics.load(words, grantedWord) : allowedAt(old, sinceUs);
      writeSchedule(words, { rate, base, sinceUs });
    },
    memory,
    ...attachBandwidthLimiter(memory, clock),
  };
}

/** One throttle out of several: bytes pass when all let them, the first asked first. */
export function chainThrottles(throttles: readonly Throttle[]): Throttle {
  return {
    take: async (bytes, signal) => {
      for (const throttle of throttles) await throttle.take(bytes, signal);
    },
  };
}
