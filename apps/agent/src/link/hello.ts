import type { AgentBus, BusConnection } from '@ascend/bus';
import type { ControlReplies, Heartbeat } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import type { Contact } from './contact.ts';
import { startLoop, type Loop } from './loop.ts';

/** Asked while operations are open: also the polled cancel flag (D16), so it must come round well within 10 s. */
const busyMs = 4_000;
const idleMs = 8_000;
const retryMs = 1_500;
const answerWithinMs = 10_000;

/** What is asked with and what is done with the answer. */
export interface HelloParams {
  readonly connection: BusConnection;
  readonly bus: AgentBus;
  readonly contact: Contact;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly heartbeat: () => Promise<Heartbeat>;
  readonly openOps: () => readonly string[];
  readonly apply: (answer: ControlReplies['hello']) => void;
}

/**
 * Tells the control plane what is open here and carries out what it says about it: at start, after each reconnect, and
 * every few seconds (4 s while something is open). `first` resolves with the first answer.
 */
export function sayHello(params: HelloParams): Loop & { readonly first: Promise<void> } {
  const first = Promise.withResolvers<void>();
  let silent = false;
  const loop = startLoop(params.clock, async (signal) => {
    const openOps = [...params.openOps()];
    try {
      const heartbeat = await params.heartbeat();
      const answer = await params.bus.ask(
        'hello',
        { heartbeat, openOps },
        { deadlineMs: answerWithinMs, signal },
      );
      params.apply(answer);
      params.contact.confirm();
      if (silent) params.logger.info('control plane answers again');
      silent = false;
      first.resolve();
      return params.openOps().length > 0 ? busyMs : idleMs;
    } catch (error) {
      if (!silent && !signal.aborted) {
        params.logger.warn('control plane does not answer', { reason: String(error) });
      }
      silent = true;
      return retryMs;
    }
  });
  const detach = params.connection.onReconnect(() => loop.wake());
  return {
    first: first.promise,
    wake: () => loop.wake(),
    stop: async () => {
      detach();
      await loop.stop();
    },
  };
}
