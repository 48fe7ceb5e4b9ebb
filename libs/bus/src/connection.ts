import {
  jwtAuthenticator,
  PermissionViolationError,
  wsconnect,
  type NatsConnection,
} from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { AppError } from '@ascend/errors';
import type { Clock, Logger, Secret } from '@ascend/runtime';

/** How a process gets onto the bus. */
export interface ConnectParams {
  /** Tried in this order, for ever: `nats://`, `tls://`, or all of them `ws://`, `wss://` (for networks that let only 443 out). */
  readonly servers: readonly string[];
  /** Asked again at every (re)connect, so that a renewed JWT is taken up without a restart. */
  readonly jwt: () => string;
  readonly seed: Secret;
  readonly inboxPrefix: string;
  readonly name: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Ends the waiting for a first connection. */
  readonly signal?: AbortSignal;
  /** CA certificate for TLS servers that no public authority knows; WebSocket takes it from NODE_EXTRA_CA_CERTS instead. */
  readonly caFile?: string;
}

/** A connection that comes back by itself for ever. */
export interface BusConnection {
  readonly nats: NatsConnection;
  readonly inboxPrefix: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** When contact was lost, ms since the epoch; null while connected. A dead peer is noticed within 30 s. */
  disconnectedSince(): number | null;
  /** Calls back after each reconnect; the returned function ends that. */
  onReconnect(listener: () => void): () => void;
  /** Sends what is buffered, then closes. Idempotent. */
  close(): Promise<void>;
}

/** Below this version: lost track of acknowledged messages after a crash, and known advisories. */
const recommendedVersion = '2.10.27';

function isOlder(version: string, than: string): boolean {
  const [left, right] = [version, than].map((text) => text.split(/[.-]/).map(Number));
  for (let index = 0; index < 3; index += 1) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function warnAboutVersion(nats: NatsConnection, logger: Logger): void {
  const version = nats.info?.version ?? '0.0.0';
  if (!isOlder(version, recommendedVersion)) return;
  logger.warn('nats-server is old: use it for trials only', { version, recommended: recommendedVersion });
}

interface Contact {
  since: number | null;
  readonly listeners: Set<() => void>;
}

async function followStatus(nats: NatsConnection, contact: Contact, params: ConnectParams): Promise<void> {
  const { logger, clock } = params;
  for await (const status of nats.status()) {
    if (status.type === 'disconnect') {
      contact.since ??= clock.now();
      logger.warn('bus connection lost', { server: status.server });
    } else if (status.type === 'reconnect') {
      contact.since = null;
      logger.info('bus connection is back', { server: status.server });
      for (const listener of contact.listeners) listener();
    } else if (status.type === 'error') {
      const denied = status.error instanceof PermissionViolationError;
      // A refused publish is silent for its caller: this line is the only trace of it.
      logger.error(denied ? 'bus refused an operation' : 'bus error', { reason: status.error.message });
    } else if (status.type === 'slowConsumer') {
      logger.warn('bus subscription is slow', { pending: status.pending });
    }
  }
}

/** The library cannot be told to stop waiting for a first connection; one that comes late is closed at once. */
async function closeLate(attempt: Promise<NatsConnection>): Promise<void> {
  try {
    await (await attempt).close();
  } catch {
    // It never came.
  }
}

async function dial(params: ConnectParams): Promise<NatsConnection> {
  const seed = Buffer.from(params.seed.reveal());
  const isWeb = params.servers.some((server) => /^wss?:/.test(server));
  const attempt = (isWeb ? wsconnect : connect)({
    servers: [...params.servers],
    noRandomize: true,
    name: params.name,
    inboxPrefix: params.inboxPrefix,
    authenticator: jwtAuthenticator(params.jwt, seed),
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: 500,
    reconnectJitter: 250,
    pingInterval: 10_000,
    maxPingOut: 2,
    timeout: 10_000,
    noAsyncTraces: true,
    ...(params.caFile === undefined || isWeb ? {} : { tls: { caFile: params.caFile } }),
  });
  const signal = params.signal;
  if (signal === undefined) return await attempt;
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([attempt, stopped.promise]);
  } catch (error) {
    void closeLate(attempt);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * Connects, waiting for the first connection as long as it takes, and reconnects for ever.
 *
 * @throws {AppError} BUS_CONNECT_REFUSED - credentials refused at the first connection
 * @throws {AppError} OPERATION_CANCELLED - `signal` fired before
 */
export async function connectBus(params: ConnectParams): Promise<BusConnection> {
  let nats: NatsConnection;
  try {
    nats = await dial(params);
  } catch (cause) {
    if (params.signal?.aborted === true) {
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'connect to the bus: cancelled', cause });
    }
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new AppError({ code: 'BUS_CONNECT_REFUSED', message: `connect to the bus: ${text}`, cause });
  }
  warnAboutVersion(nats, params.logger);
  const contact: Contact = { since: null, listeners: new Set() };
  const following = followStatus(nats, contact, params);
  return {
    nats,
    inboxPrefix: params.inboxPrefix,
    logger: params.logger,
    clock: params.clock,
    disconnectedSince: () => (nats.isClosed() ? (contact.since ?? 0) : contact.since),
    onReconnect: (listener) => {
      contact.listeners.add(listener);
      return () => contact.listeners.delete(listener);
    },
    close: async () => {
      if (nats.isClosed()) return;
      // Draining waits for the server; without one it would wait for ever.
      await (contact.since === null && !nats.isDraining() ? nats.drain() : nats.close());
      await following;
    },
  };
}
