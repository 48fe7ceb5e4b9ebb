import type { RestorePlan } from './plan.ts';

/** Engine state of a restore job. The seeds' `status` is derived from it and from the running steps (D20). */
export type JobState =
  | 'queued'
  | 'running'
  | 'paused'
  | 'cancelling'
  | 'rolling_back'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'rolled_back';

/** Engine state of one step. `waiting` for dependencies, a free slot or the end of a back-off. */
export type StepState =
  'waiting' | 'dispatched' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped';

/** State of a ledger row (D5). */
export type LedgerState = 'intended' | 'present' | 'deleting' | 'gone' | 'abandoned';

/** An error as stored with a step or job. */
export interface StoredError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly causes: readonly string[];
}

/** One resource the job created or is about to create on a target. */
export interface LedgerEntry {
  readonly jobId: string;
  readonly stepKey: string;
  readonly resourceKey: string;
  readonly targetId: string;
  readonly kind: 'overlay' | 'disk' | 'vm';
  readonly name: string;
  /** Opaque to all but the connector that wrote it; never a secret. */
  readonly token: unknown;
  readonly state: LedgerState;
  readonly undoOrder: number;
  readonly opId: string | null;
}

/** One step of a running job. */
export interface JobStep {
  readonly key: string;
  readonly state: StepState;
  /** Attempts started so far. */
  readonly attempt: number;
  readonly opId: string | null;
  readonly epoch: number;
  /** ms since the epoch before which it may not be dispatched again. */
  readonly notBeforeMs: number;
  readonly error: StoredError | null;
  readonly output: unknown;
  readonly checkpoint: unknown;
  readonly startedAtMs: number | null;
  readonly completedAtMs: number | null;
}

/** The whole state of one job: what the engine decides from, and all that it changes. */
export interface RestoreJob {
  readonly jobId: string;
  readonly plan: RestorePlan;
  readonly state: JobState;
  readonly cancelRequested: boolean;
  readonly rollbackRequested: boolean;
  readonly pauseRequested: boolean;
  readonly steps: readonly JobStep[];
  readonly ledger: readonly LedgerEntry[];
  readonly error: StoredError | null;
}
