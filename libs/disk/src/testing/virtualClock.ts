import { setImmediate as nextTick } from 'node:timers/promises';
import type { Clock } from '@ascend/runtime';

/** A clock that stands still until nothing else can happen, then goes on to whoever wakes up next. */
export interface VirtualClock extends Clock {
  /** Lets time pass until the work has settled. @throws when it waits for something that is not this clock */
  run<T>(work: Promise<T>): Promise<T>;
  /** Lets this much time pass. */
  advance(ms: number): Promise<void>;
}

interface Sleeper {
  readonly atMs: number;
  wake(): void;
}

// Rounds of the event loop after which nothing but the clock can be waited for.
const quietRounds = 20;

async function becomeQuiet(isOver: () => boolean): Promise<void> {
  for (let round = 0; round < quietRounds && !isOver(); round += 1) await nextTick();
}

/** A clock at 0 ms. */
export function createVirtualClock(): VirtualClock {
  const sleepers = new Set<Sleeper>();
  let nowMs = 0;
  const next = (): Sleeper | undefined => [...sleepers].toSorted((a, b) => a.atMs - b.atMs)[0];
  const wake = (sleeper: Sleeper): void => {
    nowMs = Math.max(nowMs, sleeper.atMs);
    sleeper.wake();
  };
  return {
    now: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper: Sleeper = {
          atMs: nowMs + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        const onAbort = (): void => {
          sleepers.delete(sleeper);
          reject(new DOMException('stopped', 'AbortError'));
        };
        if (signal?.aborted === true) return onAbort();
        signal?.addEventListener('abort', onAbort, { once: true });
        sleepers.add(sleeper);
      }),
    run: async (work) => {
      let settled = false;
      const mark = (): void => {
        settled = true;
      };
      work.then(mark, mark);
      for (;;) {
        await becomeQuiet(() => settled);
        if (settled) return await work;
        const sleeper = next();
        if (sleeper === undefined) throw new Error('the work waits for something that is not this clock');
        wake(sleeper);
      }
    },
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      for (;;) {
        await becomeQuiet(() => false);
        const sleeper = next();
        if (sleeper === undefined || sleeper.atMs > untilMs) break;
        wake(sleeper);
      }
      nowMs = untilMs;
    },
  };
}
