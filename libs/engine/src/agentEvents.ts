import {
  stepDefinitions,
  type JobStep,
  type LedgerEntry,
  type RestoreJob,
  type RetryPolicy,
  type StoredError,
} from '@ascend/domain';
import { codeRow } from '@ascend/errors';
import type { AgentEvent, OperationRef } from './event.ts';
import { isInFlight, jobEpoch, planStepOf, stepOf, withLedger, withStep } from './job.ts';
import { isRetryable, mayRetry, retryDelayMs } from './retry.ts';

/** Attempts that ended with a lost agent before a step is given up until an operator says otherwise. */
const lostAttemptLimit = 10;

/** A rollback that may go on never gives up: it is repeated with growing pauses while the error allows it. */
const undoRetry: RetryPolicy = { maxAttempts: Infinity, baseDelayMs: 2_000, maxDelayMs: 300_000 };

/** A changed job, or the reason why nothing changed. */
export type Change = RestoreJob | string;

/** Time and chance, as far as an event needs them. */
export interface EventMoment {
  readonly nowMs: number;
  readonly jitter: number;
}

type EventOf<T extends AgentEvent['type']> = Extract<AgentEvent, { readonly type: T }>;

/**
 * The row a ledger fact is about. A step may speak of a resource of another step (finalize drops overlays); then the key
 * must name one row only.
 */
function findEntry(job: RestoreJob, stepKey: string, resourceKey: string): LedgerEntry | null {
  const rows = job.ledger.filter((row) => row.resourceKey === resourceKey);
  const own = rows.find((row) => row.stepKey === stepKey);
  const [only = null, ...more] = rows;
  return own ?? (more.length === 0 ? only : null);
}

/** Facts about resources count from any operation, however old: what is there is there. */
function applyFact(job: RestoreJob, event: EventOf<'ledger-present' | 'ledger-gone' | 'undone'>): Change {
  const entry = findEntry(job, event.stepKey, event.resourceKey);
  if (entry === null) return `no ledger row ${event.resourceKey} of step ${event.stepKey}`;
  if (event.type !== 'ledger-present') {
    return entry.state === 'gone'
      ? `resource ${entry.name} is gone already`
      : withLedger(job, { ...entry, state: 'gone', opId: event.opId });
  }
  const token = event.token ?? null;
  // A row that is being deleted stays so: the deletion in flight goes by name and removes this too.
  if (entry.state === 'deleting') return withLedger(job, { ...entry, token });
  if (entry.state === 'present' && JSON.stringify(entry.token) === JSON.stringify(token)) {
    return `resource ${entry.name} is present already`;
  }
  return withLedger(job, { ...entry, state: 'present', token, opId: event.opId });
}

/** The row that the operation is removing now. */
function undoneBy(job: RestoreJob, opId: string): LedgerEntry | null {
  return job.ledger.find((row) => row.state === 'deleting' && row.opId === opId) ?? null;
}

/** The undo ended without removing anything. No error: it was stopped with its agent, and is sent again. */
function applyUndoFailure(
  job: RestoreJob,
  entry: LedgerEntry,
  error: StoredError | null,
  moment: EventMoment,
): RestoreJob {
  const step = stepOf(job, entry.stepKey);
  const notBeforeMs = moment.nowMs + retryDelayMs(undoRetry, step.attempt, moment.jitter);
  const kept = withStep(withLedger(job, { ...entry, state: 'present' }), step.key, { error, notBeforeMs });
  if (error === null || isRetryable(error)) return kept;
  // Taking the request back makes `decide` end the job as failed; an operator may ask for the rollback again.
  return { ...kept, error, rollbackRequested: false };
}

function policyOf(job: RestoreJob, step: JobStep): RetryPolicy {
  return stepDefinitions[planStepOf(job, step.key).kind].retry;
}

function applyFailure(job: RestoreJob, step: JobStep, error: StoredError, moment: EventMoment): RestoreJob {
  const policy = policyOf(job, step);
  if (!job.cancelRequested && mayRetry(step, policy, error)) {
    const notBeforeMs = moment.nowMs + retryDelayMs(policy, step.attempt, moment.jitter);
    return withStep(job, step.key, { opId: null, error, notBeforeMs }, 'wait');
  }
  return withStep(job, step.key, { opId: null, error, completedAtMs: moment.nowMs }, 'fail');
}

function lostError(step: JobStep): StoredError {
  return {
    code: 'RESTORE_AGENT_LOST',
    message: `run step ${step.key}: its agent was lost, attempt ${step.attempt}`,
    hint: codeRow('RESTORE_AGENT_LOST').hint,
    details: { stepKey: step.key, attempt: step.attempt },
    causes: [],
  };
}

/** The attempt ended without a result: another one follows, but not for ever. `opId` non-null = it may still come back. */
function applyLoss(job: RestoreJob, step: JobStep, opId: string | null, moment: EventMoment): RestoreJob {
  const error = lostError(step);
  return step.attempt % lostAttemptLimit === 0
    ? withStep(job, step.key, { opId, error, completedAtMs: moment.nowMs }, 'fail')
    : withStep(job, step.key, { opId, error, notBeforeMs: moment.nowMs }, 'wait');
}

function applyAgentLost(job: RestoreJob, opId: string, moment: EventMoment): Change {
  const step = job.steps.find((candidate) => candidate.opId === opId && isInFlight(candidate));
  if (step !== undefined) return applyLoss(job, step, opId, moment);
  const entry = undoneBy(job, opId);
  if (entry === null) return `operation ${opId} is not in flight`;
  const released = withLedger(job, { ...entry, state: 'present' });
  return withStep(released, entry.stepKey, { epoch: jobEpoch(job) + 1, notBeforeMs: moment.nowMs });
}

/** The step an operation belongs to while its word still counts, else why it does not. */
function currentStep(job: RestoreJob, event: OperationRef): JobStep | string {
  const step = job.steps.find((candidate) => candidate.key === event.stepKey);
  if (step === undefined) return `there is no step ${event.stepKey}`;
  if (step.opId !== event.opId || step.epoch !== event.epoch) {
    return `operation ${event.opId} is not the current one of step ${event.stepKey}`;
  }
  return isInFlight(step) || step.state === 'waiting' ? step : `step ${step.key} is ${step.state} already`;
}

type StepSpecificEvent = EventOf<'accepted' | 'checkpoint' | 'succeeded' | 'failed' | 'cancelled'>;

function applyToStep(job: RestoreJob, event: StepSpecificEvent, moment: EventMoment): Change {
  const step = currentStep(job, event);
  if (typeof step === 'string') return step;
  const accept = step.state === 'running' ? undefined : 'accept';
  if (event.type === 'accepted') {
    if (accept === undefined) return `step ${step.key} is running already`;
    return withStep(job, step.key, {}, accept);
  }
  if (event.type === 'checkpoint') {
    return withStep(job, step.key, { checkpoint: event.data ?? null }, accept);
  }
  if (event.type === 'succeeded') {
    const result = { output: event.output ?? null, error: null, completedAtMs: moment.nowMs };
    return withStep(job, step.key, result, 'succeed');
  }
  if (event.type === 'failed') return applyFailure(job, step, event.error, moment);
  // Cancelled although nobody asked: the agent was shut down. The attempt is over, the step is not.
  return job.cancelRequested
    ? withStep(job, step.key, { completedAtMs: moment.nowMs }, 'cancel')
    : applyLoss(job, step, null, moment);
}

/** Applies what an agent said. Results of operations that are not current change nothing, ledger facts always count. */
export function applyAgentEvent(job: RestoreJob, event: AgentEvent, moment: EventMoment): Change {
  if (event.type === 'agent-lost') return applyAgentLost(job, event.opId, moment);
  if (event.type === 'ledger-present' || event.type === 'ledger-gone' || event.type === 'undone') {
    return applyFact(job, event);
  }
  const entry = undoneBy(job, event.opId);
  if (event.type === 'undo-failed') {
    return entry === null
      ? `operation ${event.opId} is not undoing ${event.resourceKey}`
      : applyUndoFailure(job, entry, event.error, moment);
  }
  // An agent that cannot even read a command, or is shut down, does not say that it was an undo.
  if (entry !== null && (event.type === 'failed' || event.type === 'cancelled')) {
    return applyUndoFailure(job, entry, event.type === 'failed' ? event.error : null, moment);
  }
  return applyToStep(job, event, moment);
}
