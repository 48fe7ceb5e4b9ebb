import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
} from '@nats-io/jetstream';
import { commandFilter, consumerName, streams, streamSubjects, type AgentAddress } from '@ascend/protocol';
import type { BusConnection } from './connection.ts';

const second = 1_000_000_000;
const day = 86_400 * second;

/** An unfinished command is delivered again after this silence; agents say `working` three times within it. */
const ackWaitMs = 30_000;
/** Name of the durable consumer that all replicas of the control plane share. */
export const controlConsumer = 'control-plane';

// Retention "limits", never "workqueue": nats-server 2.9 leaves dead messages behind in a work queue after a crash.
// No max_bytes: it reserves the space up front, and a small disk would refuse the stream.
const general = { retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old, allow_direct: true };

const definitions = [
  {
    ...general,
    name: streams.commands,
    subjects: [streamSubjects.commands],
    storage: StorageType.File,
    max_age: 7 * day,
    duplicate_window: 600 * second,
  },
  {
    ...general,
    name: streams.events,
    subjects: [streamSubjects.events],
    storage: StorageType.File,
    max_age: 30 * day,
    duplicate_window: 600 * second,
  },
  {
    ...general,
    name: streams.progress,
    subjects: [streamSubjects.progress],
    storage: StorageType.Memory,
    max_age: day,
    max_msgs_per_subject: 1,
    duplicate_window: second,
  },
];

async function ensureStream(
  manager: JetStreamManager,
  definition: (typeof definitions)[number],
): Promise<void> {
  try {
    await manager.streams.info(definition.name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound) throw error;
    await manager.streams.add(definition);
    return;
  }
  await manager.streams.update(definition.name, definition);
}

/** Makes the three streams and the control plane's durable consumer, or brings them to their present definition. Idempotent. */
export async function ensureStreams(connection: BusConnection): Promise<void> {
  const manager = await jetstreamManager(connection.nats);
  for (const definition of definitions) await ensureStream(manager, definition);
  await manager.consumers.add(streams.events, {
    durable_name: controlConsumer,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: ackWaitMs * 1_000_000,
    max_ack_pending: 256,
    max_deliver: -1,
  });
}

/** Makes the durable pull consumer of one agent: only the control plane may. Idempotent; a changed `ackWait` (ms) is taken up. */
export async function ensureConsumer(
  connection: BusConnection,
  address: AgentAddress,
  ackWait: number = ackWaitMs,
): Promise<void> {
  const manager = await jetstreamManager(connection.nats);
  await manager.consumers.add(streams.commands, {
    durable_name: consumerName(address),
    filter_subject: commandFilter(address),
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: ackWait * 1_000_000,
    max_ack_pending: 256,
    // The control plane decides about steps that fail again and again; a limit here would leave them stuck in silence.
    max_deliver: -1,
  });
}

/** Removes an agent's consumer, so that a revoked agent gets nothing more. "Not there" is success. */
export async function removeConsumer(connection: BusConnection, address: AgentAddress): Promise<void> {
  const manager = await jetstreamManager(connection.nats);
  const name = consumerName(address);
  for await (const consumer of manager.consumers.list(streams.commands)) {
    if (consumer.name === name) await manager.consumers.delete(streams.commands, name);
  }
}
