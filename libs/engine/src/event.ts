import type { RestoreJob, StoredError } from '@ascend/domain';
import type { EventEffect } from './effect.ts';

/** Which operation an agent speaks of. */
export interface OperationRef {
  readonly opId: string;
  readonly stepKey: string;
  readonly epoch: number;
}

/** What an agent says about an operation. Progress is not here: it is volatile and changes no state. */
export type AgentEvent =
  | (OperationRef & { readonly type: 'accepted' })
  | (OperationRef & { readonly type: 'checkpoint'; readonly data?: unknown })
  | (OperationRef & {
      readonly type: 'ledger-present';
      readonly resourceKey: string;
      readonly token?: unknown;
    })
  | (OperationRef & { readonly type: 'ledger-gone'; readonly resourceKey: string })
  | (OperationRef & { readonly type: 'succeeded'; readonly output?: unknown })
  | (OperationRef & { readonly type: 'failed'; readonly error: StoredError })
  | (OperationRef & { readonly type: 'cancelled' })
  | (OperationRef & { readonly type: 'undone'; readonly resourceKey: string })
  | (OperationRef & {
      readonly type: 'undo-failed';
      readonly resourceKey: string;
      readonly error: StoredError;
    })
  /** Said by the control plane: the agent of this operation was out of contact for too long, or no longer knows it. */
  | { readonly type: 'agent-lost'; readonly opId: string };

/** What an operator asks for. */
export type OperatorEvent =
  | { readonly type: 'cancel'; readonly rollback?: boolean }
  | { readonly type: 'rollback' }
  /** `redo`: succeeded steps to do again with all that depend on them; a lost overlay is noticed without it. */
  | { readonly type: 'retry'; readonly redo?: readonly string[] }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' };

/** Everything that can happen to a job. */
export type JobEvent = AgentEvent | OperatorEvent;

/** The job after an event. */
export interface Applied {
  readonly job: RestoreJob;
  /** Why the event changed nothing (late, repeated, unknown); null when it counted. */
  readonly ignored: string | null;
  /** History lines for job_events; commands come from `decide`, which follows every event. */
  readonly effects: readonly EventEffect[];
}
