import type { JobState, LedgerEntry } from '@ascend/domain';

/** A command to commit to the outbox: run one attempt of a step, or undo one resource of it. */
export interface DispatchEffect {
  readonly type: 'dispatch';
  readonly opId: string;
  readonly stepKey: string;
  readonly attempt: number;
  readonly epoch: number;
  readonly agentId: string;
  /** Latest start, ms since the epoch (D15). */
  readonly deadlineMs: number;
  readonly mode: 'run' | 'undo';
  /** The resource to remove; null for `run`. */
  readonly resourceKey: string | null;
}

/** A ledger row to commit together with the command that may create the resource (D5). */
export interface LedgerIntentEffect {
  readonly type: 'ledger-intent';
  readonly entry: LedgerEntry;
}

/** Tell an agent to stop. Repeated until the operation ended, because the message is not stored anywhere. */
export interface CancelOpEffect {
  readonly type: 'cancel-op';
  readonly opId: string;
  readonly agentId: string;
}

/** The job came to an end; `failed` may be retried or rolled back. */
export interface JobEndedEffect {
  readonly type: 'job-ended';
  readonly state: Extract<JobState, 'completed' | 'failed' | 'cancelled' | 'rolled_back'>;
}

/** One line of the job's history, for job_events. */
export interface EventEffect {
  readonly type: 'event';
  readonly event: 'job-state' | 'step-state' | 'ledger-state';
  readonly data: Readonly<Record<string, string | number | null>>;
}

/** What the caller has to commit or send, in this order. */
export type Effect = DispatchEffect | LedgerIntentEffect | CancelOpEffect | JobEndedEffect | EventEffect;
