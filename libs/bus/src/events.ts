import type { JsMsg } from '@nats-io/jetstream';
import { isAppError } from '@ascend/errors';
import {
  addressOf,
  eventSubject,
  stepEventSchema,
  streams,
  type AgentAddress,
  type StepEvent,
} from '@ascend/protocol';
import type { BusConnection } from './connection.ts';
import { pullMessages, type Running } from './pull.ts';
import { controlConsumer } from './streams.ts';

/** Where an event came from: the address is proven by the sender's permissions, the rest of the event is its word. */
export interface EventOrigin {
  readonly address: AgentAddress;
  /** Position in the stream; starts again at 1 when the store was lost. */
  readonly streamSequence: number;
  /** 1 = first time. */
  readonly delivery: number;
}

/** Stores one event. Resolved = stored for good, rejected = deliver it again. May see an event twice (`eventId`). */
export type EventHandler = (event: StepEvent, origin: EventOrigin) => Promise<void>;

const redeliveryDelaysMs = [500, 1_000, 2_000, 5_000, 15_000, 30_000];

/** Makes the server wait longer and longer before it delivers a message whose handler failed. */
export function redeliveryDelayMs(delivery: number): number {
  return redeliveryDelaysMs[Math.min(Math.max(delivery, 1), redeliveryDelaysMs.length) - 1] ?? 30_000;
}

function readEvent(message: JsMsg): { event: StepEvent; address: AgentAddress } | string {
  const address = addressOf(message.subject);
  if (address === null) return 'subject names no agent';
  let json: unknown;
  try {
    json = message.json();
  } catch {
    return 'not JSON';
  }
  const parsed = stepEventSchema.safeParse(json);
  if (!parsed.success) return parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  if (eventSubject(address, parsed.data.jobId) !== message.subject) return 'job id differs from the subject';
  return { event: parsed.data, address };
}

/**
 * Hands the events of all agents to `handler`, one at a time in this process, each until it is stored. Replicas share
 * the work, so two events of one job may be in two processes at once. Unreadable events are logged and dropped.
 */
export function consumeEvents(connection: BusConnection, handler: EventHandler): Running {
  const take = async (message: JsMsg): Promise<void> => {
    const read = readEvent(message);
    if (typeof read === 'string') {
      connection.logger.error('event is not readable', { subject: message.subject, reason: read });
      message.term(read);
      return;
    }
    const delivery = message.info.deliveryCount;
    try {
      await handler(read.event, { address: read.address, streamSequence: message.seq, delivery });
      message.ack();
    } catch (error) {
      connection.logger.warn('event was not stored, it will be delivered again', {
        eventId: read.event.eventId,
        delivery,
        code: isAppError(error) ? error.code : 'INTERNAL_BUG',
        reason: String(error),
      });
      message.nak(redeliveryDelayMs(delivery));
    }
  };
  return pullMessages(connection, { stream: streams.events, consumer: controlConsumer, slots: 1, take });
}
