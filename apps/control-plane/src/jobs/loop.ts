import { toAppError } from '@ascend/errors';
import type { Clock, Logger } from '@ascend/runtime';

/** A piece of work that is repeated until it is stopped. */
export interface Loop {
  /** Runs the work again at once when it rests, or directly after the run in progress. */
  wake(): void;
  /** No further run; resolves when the one in progress has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `work` every `intervalMs`, at once after `wake`, and again without rest while it answers `again`. What it throws
 * is logged, and the next run comes after the interval: a loop never ends by itself.
 */
export function startLoop(params: {
  readonly name: string;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly work: (signal: AbortSignal) => Promise<'again' | 'rest'>;
}): Loop {
  const { clock, logger, intervalMs, work } = params;
  const stopped = new AbortController();
  let rest = new AbortController();
  let woken = false;

  const runOnce = async (): Promise<'again' | 'rest'> => {
    try {
      return await work(stopped.signal);
    } catch (error) {
      if (!stopped.signal.aborted) {
        logger.error('loop failed, it goes on', { loop: params.name, error: toAppError(error, params.name) });
      }
      return 'rest';
    }
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      woken = false;
      rest = new AbortController();
      const next = await runOnce();
      if (next === 'again' || woken || stopped.signal.aborted) continue;
      await clock.sleep(intervalMs, rest.signal).catch(() => undefined);
    }
  };
  const running = run();
  return {
    wake: () => {
      woken = true;
      rest.abort();
    },
    stop: async () => {
      stopped.abort();
      rest.abort();
      await running;
    },
  };
}
