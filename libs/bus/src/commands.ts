import type { JsMsg } from '@nats-io/jetstream';
import { AppError } from '@ascend/errors';
import {
  consumerName,
  isSubjectId,
  stepCommandSchema,
  streams,
  type AgentAddress,
  type StepCommand,
} from '@ascend/protocol';
import type { BusConnection } from './connection.ts';
import { redeliveryDelayMs } from './events.ts';
import { pullMessages, type Running } from './pull.ts';

/** The part of a command that is readable even when the rest is of another version. */
export type CommandHead = Pick<StepCommand, 'opId' | 'jobId' | 'stepKey' | 'epoch'>;

/** What an agent does with its commands. A promise that resolves = acknowledged; one that rejects = delivered again. */
export interface CommandHandler {
  /** Resolves when the result is stored on this agent. `delivery` 1 = first time. */
  run(command: StepCommand, delivery: number): Promise<void>;
  /** The command has a head but does not fit this version's schema: store a failure for it. */
  refuse(head: CommandHead, error: AppError): Promise<void>;
}

const headSchema = stepCommandSchema.pick({ opId: true, jobId: true, stepKey: true, epoch: true });

async function handle(message: JsMsg, handler: CommandHandler): Promise<string | null> {
  let json: unknown;
  try {
    json = message.json();
  } catch {
    return 'not JSON';
  }
  const head = headSchema.safeParse(json).data;
  // Its events could not be sent: the job id is a token of their subject.
  if (head === undefined || !isSubjectId(head.jobId)) return 'no command head';
  const parsed = stepCommandSchema.safeParse(json);
  if (parsed.success) {
    await handler.run(parsed.data, message.info.deliveryCount);
    return null;
  }
  const fields = parsed.error.issues.map((issue) => issue.path.join('.')).slice(0, 8);
  await handler.refuse(
    head,
    new AppError({
      code: 'BUS_MESSAGE_INVALID',
      message: `read command ${head.opId}: ${fields.join(', ')} not as expected`,
      details: { opId: head.opId, fields },
    }),
  );
  return null;
}

/** Pulls an agent's commands; each is kept alive with `working` while it is in the handler, and acknowledged after it. */
export function pullCommands(
  connection: BusConnection,
  params: { readonly address: AgentAddress; readonly slots: number; readonly handler: CommandHandler },
): Running {
  const take = async (message: JsMsg): Promise<void> => {
    try {
      const unreadable = await handle(message, params.handler);
      if (unreadable === null) {
        message.ack();
      } else {
        connection.logger.error('command is not readable', { subject: message.subject, reason: unreadable });
        message.term(unreadable);
      }
    } catch (error) {
      const delivery = message.info.deliveryCount;
      connection.logger.error('command was not taken, it will be delivered again', {
        subject: message.subject,
        delivery,
        reason: String(error),
      });
      message.nak(redeliveryDelayMs(delivery));
    }
  };
  return pullMessages(connection, {
    stream: streams.commands,
    consumer: consumerName(params.address),
    slots: params.slots,
    take,
  });
}
