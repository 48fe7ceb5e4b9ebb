import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import {
  progressMessageSchema,
  progressSubject,
  streams,
  subjectPrefix,
  type AgentAddress,
  type ProgressMessage,
} from '@ascend/protocol';
import type { BusConnection } from './connection.ts';

/** Shortest time between two progress messages of one step. */
export const progressIntervalMs = 1_000;

interface Pending {
  latest: ProgressMessage | null;
  timer: NodeJS.Timeout | null;
}

/** Sends progress at most once a second per step; the newest value always gets out. */
export interface ProgressPublisher {
  publish(progress: ProgressMessage): void;
  /** Sends what is held back for this operation, at once. Call it at the end of a step. */
  flush(opId: string): void;
}

/** A throttled publisher for one agent. Values during an outage are dropped: the next one is absolute. */
export function createProgressPublisher(connection: BusConnection, address: AgentAddress): ProgressPublisher {
  const steps = new Map<string, Pending>();

  const send = (progress: ProgressMessage): void => {
    if (connection.disconnectedSince() !== null) return;
    const subject = progressSubject(address, progress.jobId, progress.stepKey);
    connection.nats.publish(subject, JSON.stringify(progress));
  };

  const release = (opId: string): void => {
    const step = steps.get(opId);
    if (step === undefined) return;
    step.timer = null;
    if (step.latest === null) {
      steps.delete(opId);
      return;
    }
    send(step.latest);
    step.latest = null;
    step.timer = setTimeout(() => release(opId), progressIntervalMs);
  };

  return {
    publish: (progress) => {
      const step = steps.get(progress.opId) ?? { latest: null, timer: null };
      steps.set(progress.opId, step);
      step.latest = progress;
      if (step.timer === null) release(progress.opId);
    },
    flush: (opId) => {
      const step = steps.get(opId);
      if (step === undefined) return;
      if (step.timer !== null) clearTimeout(step.timer);
      if (step.latest !== null) send(step.latest);
      steps.delete(opId);
    },
  };
}

/** Reads a progress payload; null when it does not fit. */
export function readProgress(payload: string): ProgressMessage | null {
  try {
    const parsed = progressMessageSchema.safeParse(JSON.parse(payload));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** The last known counters of every step of a job, for viewers that come late. Empty after a restart of the server. */
export async function lastProgress(
  connection: BusConnection,
  jobId: string,
): Promise<readonly ProgressMessage[]> {
  const manager = await jetstreamManager(connection.nats);
  const info = await manager.consumers.add(streams.progress, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.LastPerSubject,
    filter_subject: `${subjectPrefix}.prog.*.*.${jobId}.>`,
    inactive_threshold: 10_000_000_000,
    mem_storage: true,
  });
  const consumer = await jetstream(connection.nats).consumers.get(streams.progress, info.name);
  const found: ProgressMessage[] = [];
  try {
    while (found.length < info.num_pending) {
      const message = await consumer.next({ expires: 1_000 });
      if (message === null) break;
      const progress = readProgress(message.string());
      if (progress !== null) found.push(progress);
    }
  } finally {
    await consumer.delete();
  }
  return found;
}
