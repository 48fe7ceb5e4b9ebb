import type { JobStep, RestoreJob } from '@ascend/domain';
import { AppError, type ErrorCode } from '@ascend/errors';
import type { Change, EventMoment } from './agentEvents.ts';
import { enterRollback } from './decide.ts';
import type { OperatorEvent } from './event.ts';
import { invalidate } from './invalidate.ts';
import { withJobState, withStep } from './job.ts';

function illegal(job: RestoreJob, event: string, why: string): AppError {
  return new AppError({
    code: 'RESTORE_TRANSITION_ILLEGAL',
    message: `${event} job ${job.jobId}: ${why}`,
    details: { state: job.state, event },
  });
}

function cancel(job: RestoreJob, rollback: boolean): Change {
  const flagged = {
    ...job,
    cancelRequested: true,
    rollbackRequested: job.rollbackRequested || rollback,
    pauseRequested: false,
  };
  if (job.state === 'cancelling') {
    return job.rollbackRequested === flagged.rollbackRequested
      ? 'the job is being cancelled already'
      : flagged;
  }
  return withJobState(flagged, 'cancel');
}

function rollback(job: RestoreJob): Change {
  if (job.state === 'rolling_back') return 'the job is being rolled back already';
  if (job.state !== 'completed' && job.state !== 'cancelled') return cancel(job, true);
  return enterRollback({ ...job, cancelRequested: true, rollbackRequested: true });
}

function isFailed(step: JobStep): boolean {
  return step.state === 'failed';
}

/** Preparations whose overlay a failed step did not find: a retry of that step alone would fail for ever. */
function lostPreparations(job: RestoreJob): readonly string[] {
  const lost: ErrorCode = 'STEP_OVERLAY_MISSING';
  const missed = job.steps.some((step) => isFailed(step) && step.error?.code === lost);
  return job.plan.steps.filter((step) => missed && step.kind === 'prepare-guest').map((step) => step.key);
}

function retry(job: RestoreJob, redo: readonly string[], moment: EventMoment): Change {
  if (job.cancelRequested) throw illegal(job, 'retry', 'it was cancelled or rolled back');
  if (!job.steps.some(isFailed)) throw illegal(job, 'retry', `no step failed, the state is ${job.state}`);
  const redone = [...redo, ...lostPreparations(job)].reduce((changed, key) => invalidate(changed, key), job);
  const again = { notBeforeMs: moment.nowMs, completedAtMs: null };
  const reset = redone.steps
    .filter(isFailed)
    .reduce((changed, step) => withStep(changed, step.key, again, 'retry'), redone);
  return { ...(job.state === 'failed' ? withJobState(reset, 'retry') : reset), error: null };
}

function setPause(job: RestoreJob, pauseRequested: boolean): Change {
  const verb = pauseRequested ? 'pause' : 'resume';
  if (job.state !== 'queued' && job.state !== 'running' && job.state !== 'paused') {
    throw illegal(job, verb, `not possible in state ${job.state}`);
  }
  return job.pauseRequested === pauseRequested
    ? `the job is ${pauseRequested ? 'paused' : 'not paused'} already`
    : { ...job, pauseRequested };
}

/**
 * Applies what an operator asked for.
 * @throws {AppError} RESTORE_TRANSITION_ILLEGAL - the state of the job does not allow it
 */
export function applyOperatorEvent(job: RestoreJob, event: OperatorEvent, moment: EventMoment): Change {
  if (event.type === 'cancel') return cancel(job, event.rollback ?? false);
  if (event.type === 'rollback') return rollback(job);
  if (event.type === 'retry') return retry(job, event.redo ?? [], moment);
  return setPause(job, event.type === 'pause');
}
