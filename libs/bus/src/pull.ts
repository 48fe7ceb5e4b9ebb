import { jetstream, type Consumer, type JsMsg } from '@nats-io/jetstream';
import type { BusConnection } from './connection.ts';

/** Something that goes on until it is stopped. */
export interface Running {
  /** Takes nothing more, waits for what is in work. Idempotent. */
  stop(): Promise<void>;
}

/** What is pulled and by whom. */
export interface PullParams {
  readonly stream: string;
  readonly consumer: string;
  /** Messages in work at once. */
  readonly slots: number;
  /** Settles the message itself (ack, nak, term). */
  readonly take: (message: JsMsg) => Promise<void>;
}

const expiresMs = 5_000;
const retryMs = 500;

/** Can be waited for again and again without leaving anything behind on a long-lived promise. */
interface Interrupt {
  readonly signal: AbortSignal;
  /** Settles with the first of `work`, or with null when interrupted. */
  race<T>(work: readonly Promise<T>[]): Promise<T | null>;
  fire(): void;
}

function createInterrupt(): Interrupt {
  const stopping = new AbortController();
  return {
    signal: stopping.signal,
    race: async <T>(work: readonly Promise<T>[]): Promise<T | null> => {
      const fired = Promise.withResolvers<null>();
      const fire = (): void => fired.resolve(null);
      if (stopping.signal.aborted) fire();
      stopping.signal.addEventListener('abort', fire, { once: true });
      try {
        return await Promise.race<T | null>([...work, fired.promise]);
      } finally {
        stopping.signal.removeEventListener('abort', fire);
      }
    },
    fire: () => stopping.abort(),
  };
}

/** Says `working` three times per ack wait until the returned function is called. */
function keepInWork(connection: BusConnection, message: JsMsg, ackWaitMs: number): () => void {
  const timer = setInterval(() => {
    if (!connection.nats.isClosed()) message.working();
  }, ackWaitMs / 3);
  return () => clearInterval(timer);
}

async function takeOne(
  connection: BusConnection,
  params: PullParams,
  message: JsMsg,
  ackWaitMs: number,
): Promise<void> {
  const done = keepInWork(connection, message, ackWaitMs);
  try {
    await params.take(message);
  } catch (error) {
    connection.logger.error('message handler failed', { subject: message.subject, reason: String(error) });
  } finally {
    done();
  }
}

/**
 * Pulls one message after the other and keeps each alive while it is in work. Plain requests with a short expiry instead
 * of a standing `consume`: they survive server restarts, lost stores and consumers that do not exist yet without any
 * state here.
 */
export function pullMessages(connection: BusConnection, params: PullParams): Running {
  const interrupt = createInterrupt();
  const inWork = new Set<Promise<void>>();

  const pause = async (reason: string): Promise<void> => {
    connection.logger.debug('pull is waiting', { consumer: params.consumer, reason });
    await connection.clock.sleep(retryMs, interrupt.signal).catch(() => undefined);
  };

  const start = async (consumer: Consumer, message: JsMsg): Promise<void> => {
    const { config } = await consumer.info(true);
    const ackWaitMs = (config.ack_wait ?? 30_000_000_000) / 1_000_000;
    const work = takeOne(connection, params, message, ackWaitMs).finally(() => inWork.delete(work));
    inWork.add(work);
  };

  const pullNext = async (known: Consumer | null): Promise<Consumer | null> => {
    try {
      const consumer =
        known ?? (await jetstream(connection.nats).consumers.get(params.stream, params.consumer));
      const message = await interrupt.race([consumer.next({ expires: expiresMs })]);
      if (message !== null) await start(consumer, message);
      return consumer;
    } catch (error) {
      await pause(error instanceof Error ? error.message : String(error));
      return null;
    }
  };

  const loop = async (): Promise<void> => {
    let consumer: Consumer | null = null;
    while (!interrupt.signal.aborted && !connection.nats.isClosed()) {
      if (inWork.size >= params.slots) await interrupt.race([...inWork]);
      else if (connection.disconnectedSince() !== null) await pause('no connection');
      else consumer = await pullNext(consumer);
    }
  };

  const running = loop();
  return {
    stop: async () => {
      interrupt.fire();
      await running;
      await Promise.all(inWork);
    },
  };
}
