import {
  agentRequests,
  askSubject,
  controlMessageSchema,
  controlSubject,
  eventSubject,
  heartbeatSubject,
  requestSubject,
  type AgentAddress,
  type AgentReplies,
  type AgentRequest,
  type AgentVerb,
  type ControlMessage,
  type ControlReplies,
  type ControlRequest,
  type ControlVerb,
  type Heartbeat,
  type ProgressMessage,
  type StepEvent,
} from '@ascend/protocol';
import { AppError } from '@ascend/errors';
import { pullCommands, type CommandHandler } from './commands.ts';
import type { BusConnection } from './connection.ts';
import { answerOnLane, askOnLane, together, type Schema } from './lane.ts';
import { createProgressPublisher } from './progress.ts';
import { publishUntilAcked } from './publish.ts';
import type { Running } from './pull.ts';

/** What an agent answers on the request lane. The signal fires when the asking side gave up. */
export type RequestHandlers = {
  readonly [V in AgentVerb]: (body: AgentRequest<V>, signal: AbortSignal) => Promise<AgentReplies[V]>;
};

/** The bus as one agent uses it. */
export interface AgentBus {
  pullCommands(params: { readonly slots: number; readonly handler: CommandHandler }): Running;
  /** Publishes until acknowledged, with the event id as message id. @throws {AppError} OPERATION_CANCELLED, BUS_MESSAGE_TOO_LARGE */
  publishEvent(event: StepEvent, signal: AbortSignal): Promise<void>;
  /** At most once a second per operation; dropped while the bus is away. */
  publishProgress(progress: ProgressMessage): void;
  /** Sends the newest held-back progress of an operation at once. */
  flushProgress(opId: string): void;
  /** Dropped while the bus is away. */
  publishHeartbeat(heartbeat: Heartbeat): void;
  serveRequests(handlers: RequestHandlers): Running;
  onControl(handler: (message: ControlMessage) => void): Running;
  /** @throws {AppError} the control plane's error, BUS_CONTROL_PLANE_OFFLINE, BUS_REPLY_LATE, BUS_NOT_CONNECTED, OPERATION_CANCELLED */
  ask<V extends ControlVerb>(
    verb: V,
    body: ControlRequest<V>,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
  ): Promise<ControlReplies[V]>;
}

function serveVerb<T>(
  connection: BusConnection,
  lane: { readonly address: AgentAddress; readonly verb: AgentVerb; readonly schema: Schema<T> },
  handler: (body: T, signal: AbortSignal) => Promise<unknown>,
): Running {
  const { address, verb, schema } = lane;
  return answerOnLane(connection, {
    subject: requestSubject(address, verb),
    handler: async (message, signal) => {
      const parsed = schema.safeParse(message.json());
      if (!parsed.success) {
        throw new AppError({
          code: 'BUS_MESSAGE_INVALID',
          message: `answer ${verb}: body does not fit`,
        });
      }
      return await handler(parsed.data, signal);
    },
  });
}

function listenForControl(
  connection: BusConnection,
  address: AgentAddress,
  handler: (message: ControlMessage) => void,
): Running {
  const subscription = connection.nats.subscribe(controlSubject(address));
  const loop = async (): Promise<void> => {
    for await (const message of subscription) {
      try {
        handler(controlMessageSchema.parse(message.json()));
      } catch (error) {
        connection.logger.warn('control message is not readable', { reason: String(error) });
      }
    }
  };
  const running = loop();
  return {
    stop: async () => {
      if (!connection.nats.isClosed()) subscription.unsubscribe();
      await running;
    },
  };
}

function serveRequests(connection: BusConnection, address: AgentAddress, handlers: RequestHandlers): Running {
  const { analyze, inventory, scan, limit } = agentRequests;
  const check = agentRequests['check-target'];
  const probe = agentRequests['probe-images'];
  return together([
    serveVerb(connection, { address, verb: 'analyze', schema: analyze }, handlers.analyze),
    serveVerb(connection, { address, verb: 'inventory', schema: inventory }, handlers.inventory),
    serveVerb(connection, { address, verb: 'scan', schema: scan }, handlers.scan),
    serveVerb(connection, { address, verb: 'check-target', schema: check }, handlers['check-target']),
    serveVerb(connection, { address, verb: 'probe-images', schema: probe }, handlers['probe-images']),
    serveVerb(connection, { address, verb: 'limit', schema: limit }, handlers.limit),
  ]);
}

/** One agent's view of the bus. */
export function createAgentBus(connection: BusConnection, address: AgentAddress): AgentBus {
  const progress = createProgressPublisher(connection, address);
  return {
    pullCommands: (params) => pullCommands(connection, { address, ...params }),
    publishEvent: async (event, signal) => {
      const subject = eventSubject(address, event.jobId);
      await publishUntilAcked(connection, { subject, value: event, msgId: event.eventId }, signal);
    },
    publishProgress: (message) => progress.publish(message),
    flushProgress: (opId) => progress.flush(opId),
    publishHeartbeat: (heartbeat) => {
      if (connection.disconnectedSince() !== null) return;
      connection.nats.publish(heartbeatSubject(address), JSON.stringify(heartbeat));
    },
    serveRequests: (handlers) => serveRequests(connection, address, handlers),
    onControl: (handler) => listenForControl(connection, address, handler),
    ask: async <V extends ControlVerb>(
      verb: V,
      body: ControlRequest<V>,
      options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
    ) => {
      const subject = askSubject(address, verb);
      const value = await askOnLane(connection, {
        subject,
        body,
        offlineCode: 'BUS_CONTROL_PLANE_OFFLINE',
        ...options,
      });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- answers are made by our own code (protocol/request.ts)
      return value as ControlReplies[V];
    },
  };
}
