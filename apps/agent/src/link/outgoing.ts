import type { AgentBus } from '@ascend/bus';
import { hasCode, toAppError } from '@ascend/errors';
import type { StepEvent } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import { resultEvent } from '../ledger/events.ts';
import type { OpLedger } from '../ledger/ledger.ts';
import { startLoop, type Loop } from './loop.ts';

/** An event that no server takes becomes a failure, so that the step does not hang for ever. */
function tooLarge(event: StepEvent, error: unknown, nowMs: number): StepEvent {
  return resultEvent(event, { type: 'failed', error: toAppError(error, `send ${event.type}`) }, nowMs);
}

const idleMs = 60_000;
const retryMs = 1_000;

/** Sends queued events one after the other, each until the bus has stored it; order is kept over outages and restarts. */
export function sendOutgoing(params: {
  readonly ledger: OpLedger;
  readonly bus: AgentBus;
  readonly clock: Clock;
  readonly logger: Logger;
}): Loop {
  const { ledger, bus, logger } = params;

  const sendOne = async (signal: AbortSignal): Promise<boolean> => {
    const next = ledger.nextEvent();
    if (next === null) return false;
    try {
      await bus.publishEvent(next.event, signal);
      ledger.sent(next.seq);
    } catch (error) {
      if (!hasCode(error, 'BUS_MESSAGE_TOO_LARGE')) throw error;
      logger.error('event is too large to be sent', { type: next.event.type, opId: next.event.opId });
      if (next.event.type === 'succeeded')
        ledger.replace(next.seq, tooLarge(next.event, error, params.clock.now()));
      else ledger.sent(next.seq);
    }
    return true;
  };

  const loop = startLoop(params.clock, async (signal) => {
    try {
      while (!signal.aborted && (await sendOne(signal)));
      return idleMs;
    } catch (error) {
      if (!signal.aborted) logger.error('event was not sent', { reason: String(error) });
      return retryMs;
    }
  });
  ledger.onQueued(() => loop.wake());
  return loop;
}
