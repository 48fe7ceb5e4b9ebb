import {
  addressOf,
  commandSubject,
  controlRequests,
  controlSubject,
  heartbeatSchema,
  requestSubject,
  subjectPrefix,
  type AgentAddress,
  type AgentReplies,
  type AgentRequest,
  type AgentVerb,
  type ControlReplies,
  type ControlRequest,
  type ControlVerb,
  type Heartbeat,
  type ProgressMessage,
  type StepCommand,
} from '@ascend/protocol';
import { AppError } from '@ascend/errors';
import type { BusConnection } from './connection.ts';
import { consumeEvents, type EventHandler } from './events.ts';
import { answerOnLane, askOnLane, together, type Schema } from './lane.ts';
import { lastProgress, readProgress } from './progress.ts';
import { publishUntilAcked } from './publish.ts';
import type { Running } from './pull.ts';
import { ensureConsumer, ensureStreams, removeConsumer } from './streams.ts';

/** Answers to what agents ask; `address` is proven by the agent's permissions. */
export type AskHandlers = {
  readonly [V in ControlVerb]: (address: AgentAddress, body: ControlRequest<V>) => Promise<ControlReplies[V]>;
};

/** The bus as the control plane uses it; any number of replicas at once. */
export interface ControlBus {
  /** Makes or updates the streams. Idempotent; also done by itself after each reconnect (the store may be gone). */
  ensureStreams(): Promise<void>;
  /**
   * Makes the command consumer of an agent. Idempotent; also repeated after each reconnect. `ackWaitMs` (30 s): silence
   * after which a command that an agent has taken is delivered again.
   */
  ensureConsumer(address: AgentAddress, options?: { readonly ackWaitMs?: number }): Promise<void>;
  /** Takes the consumer of a revoked agent away. Idempotent. */
  removeConsumer(address: AgentAddress): Promise<void>;
  /**
   * Publishes until acknowledged. `msgId` defaults to the op id: the server drops a second message with the same id for
   * 10 minutes, so a deliberate repetition (the agent lost it) needs an id of its own, e.g. `<opId>#2`.
   */
  publishCommand(
    address: AgentAddress,
    command: StepCommand,
    options: { readonly signal: AbortSignal; readonly msgId?: string },
  ): Promise<{ readonly duplicate: boolean }>;
  consumeEvents(handler: EventHandler): Running;
  subscribeProgress(handler: (progress: ProgressMessage, address: AgentAddress) => void): Running;
  lastProgress(jobId: string): Promise<readonly ProgressMessage[]>;
  subscribeHeartbeats(handler: (heartbeat: Heartbeat, address: AgentAddress) => void): Running;
  /** @throws {AppError} the agent's error, BUS_AGENT_OFFLINE, BUS_REPLY_LATE, BUS_NOT_CONNECTED, OPERATION_CANCELLED */
  request<V extends AgentVerb>(
    address: AgentAddress,
    verb: V,
    body: AgentRequest<V>,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
  ): Promise<AgentReplies[V]>;
  answerAsks(handlers: AskHandlers): Running;
  /** Tells a running agent to stop an operation now. Not stored: the flag that `hello` returns is what counts (D16). */
  cancel(address: AgentAddress, opId: string): void;
}

function subscribe(
  connection: BusConnection,
  subject: string,
  take: (payload: string, address: AgentAddress) => boolean,
): Running {
  const subscription = connection.nats.subscribe(subject);
  const loop = async (): Promise<void> => {
    for await (const message of subscription) {
      const address = addressOf(message.subject);
      if (address === null || !take(message.string(), address)) {
        connection.logger.warn('message is not readable', { subject: message.subject });
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

function readHeartbeat(payload: string): Heartbeat | null {
  try {
    const parsed = heartbeatSchema.safeParse(JSON.parse(payload));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function answerVerb<T>(
  connection: BusConnection,
  lane: { readonly verb: ControlVerb; readonly schema: Schema<T> },
  handler: (address: AgentAddress, body: T) => Promise<unknown>,
): Running {
  return answerOnLane(connection, {
    subject: `${subjectPrefix}.ask.*.*.${lane.verb}`,
    queue: 'control-plane',
    handler: async (message) => {
      const address = addressOf(message.subject);
      const parsed = lane.schema.safeParse(message.json());
      if (address === null || !parsed.success) {
        throw new AppError({
          code: 'BUS_MESSAGE_INVALID',
          message: `answer ${message.subject}: body does not fit`,
        });
      }
      return await handler(address, parsed.data);
    },
  });
}

function answerAsks(connection: BusConnection, handlers: AskHandlers): Running {
  const { hello, secret, renew } = controlRequests;
  return together([
    answerVerb(connection, { verb: 'hello', schema: hello }, handlers.hello),
    answerVerb(connection, { verb: 'secret', schema: secret }, handlers.secret),
    answerVerb(connection, { verb: 'renew', schema: renew }, handlers.renew),
  ]);
}

/** Remembers what was ensured and ensures it again after each reconnect: the store may have been lost. */
function keepEnsured(
  connection: BusConnection,
): Pick<ControlBus, 'ensureStreams' | 'ensureConsumer' | 'removeConsumer'> {
  const known = new Map<string, { readonly address: AgentAddress; readonly ackWaitMs: number | undefined }>();
  let streamsWanted = false;
  const restore = async (): Promise<void> => {
    if (streamsWanted) await ensureStreams(connection);
    for (const one of known.values()) await ensureConsumer(connection, one.address, one.ackWaitMs);
  };
  connection.onReconnect(() => {
    restore().catch((error: unknown) => {
      connection.logger.error('streams could not be checked after a reconnect', { reason: String(error) });
    });
  });
  return {
    ensureStreams: async () => {
      streamsWanted = true;
      await ensureStreams(connection);
    },
    ensureConsumer: async (address, options) => {
      const ackWaitMs = options?.ackWaitMs;
      await ensureConsumer(connection, address, ackWaitMs);
      known.set(`${address.siteId}.${address.agentId}`, { address, ackWaitMs });
    },
    removeConsumer: async (address) => {
      known.delete(`${address.siteId}.${address.agentId}`);
      await removeConsumer(connection, address);
    },
  };
}

/** The control plane's view of the bus. */
export function createControlBus(connection: BusConnection): ControlBus {
  return {
    ...keepEnsured(connection),
    publishCommand: async (address, command, options) => {
      const subject = commandSubject(address, command.kind);
      const msgId = options.msgId ?? command.opId;
      return await publishUntilAcked(connection, { subject, value: command, msgId }, options.signal);
    },
    consumeEvents: (handler) => consumeEvents(connection, handler),
    subscribeProgress: (handler) =>
      subscribe(connection, `${subjectPrefix}.prog.>`, (payload, address) => {
        const progress = readProgress(payload);
        if (progress !== null) handler(progress, address);
        return progress !== null;
      }),
    lastProgress: async (jobId) => await lastProgress(connection, jobId),
    subscribeHeartbeats: (handler) =>
      subscribe(connection, `${subjectPrefix}.hb.*.*`, (payload, address) => {
        const heartbeat = readHeartbeat(payload);
        if (heartbeat !== null) handler(heartbeat, address);
        return heartbeat !== null;
      }),
    request: async <V extends AgentVerb>(
      address: AgentAddress,
      verb: V,
      body: AgentRequest<V>,
      options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
    ) => {
      const subject = requestSubject(address, verb);
      const value = await askOnLane(connection, {
        subject,
        body,
        offlineCode: 'BUS_AGENT_OFFLINE',
        ...options,
      });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- answers are made by our own code (protocol/request.ts)
      return value as AgentReplies[V];
    },
    answerAsks: (handlers) => answerAsks(connection, handlers),
    cancel: (address, opId) => {
      connection.nats.publish(controlSubject(address), JSON.stringify({ v: 1, type: 'cancel', opId }));
    },
  };
}
