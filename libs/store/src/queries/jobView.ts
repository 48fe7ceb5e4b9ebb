import type { RestoreJob, SeedRestoreStatus } from '@ascend/domain';
import type { StoredBandwidth } from './bandwidthCap.ts';
import type { OutboxMessage } from './outbox.ts';

/** What callers of the older columns see of a job (D20); computed by the engine. */
export interface JobView {
  readonly status: SeedRestoreStatus;
  /** 0 to 100. */
  readonly progressPercent: number;
  readonly estimatedCompletionMs: number | null;
}

/** An entry of a job's history before it has a number. */
export interface NewJobEvent {
  readonly type: string;
  readonly data: unknown;
}

/** A job as it is stored, with what a save must compare. */
export interface StoredJob {
  readonly job: RestoreJob;
  readonly version: number;
  readonly lastEventSeq: number;
  /** The cap of its disk streams that an operator set; null = as planned. */
  readonly bandwidth: StoredBandwidth | null;
}

/** A decided change: the job after it, and what goes out in the same transaction. */
export interface JobChange {
  readonly after: RestoreJob;
  readonly view: JobView;
  readonly outbox: readonly OutboxMessage[];
  readonly events: readonly NewJobEvent[];
}
