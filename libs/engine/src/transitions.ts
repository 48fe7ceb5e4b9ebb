/*
 * The two state machines of a restore.
 *
 * Job
 *   queued        created, nothing dispatched yet.
 *   running       steps are dispatched as their dependencies succeed. After a permanent failure nothing new is dispatched,
 *                 and what is in flight may end.
 *   paused        nothing in flight, nothing dispatched; resume goes on where it was.
 *   cancelling    nothing new is dispatched; operations in flight were told to stop and are waited for.
 *   rolling_back  the ledger is walked from high to low undo order, one resource at a time, each seen gone before the next.
 *   completed     every step succeeded.
 *   failed        a step failed for good, or an undo did. Nothing is lost: retry or rollback goes on from here.
 *   cancelled     stopped on request; created resources are kept until somebody rolls back.
 *   rolled_back   every ledger row is gone. A resource that shows up late reopens the rollback.
 *
 * Step
 *   waiting       for its dependencies, a free slot, an agent, or the end of a back-off. With an op_id: the operation was
 *                 lost with its agent; if it comes back before a new attempt leaves, it is taken up again.
 *   dispatched    a command was committed; nothing was heard yet.
 *   running       an agent said so.
 *   succeeded     its output is stored.
 *   failed        for good, until an operator retries.
 *   cancelled     in flight when the job was cancelled.
 *   skipped       never started when the job was cancelled or rolled back.
 */
import type { JobState, StepState } from '@ascend/domain';
import { AppError } from '@ascend/errors';

/** What can happen to a job. */
export type JobTransition =
  | 'start'
  | 'pause'
  | 'resume'
  | 'complete'
  | 'fail'
  | 'retry'
  | 'cancel'
  | 'stop'
  | 'rollback'
  | 'undo'
  | 'reopen';

/** What can happen to a step. */
export type StepTransition =
  'dispatch' | 'accept' | 'succeed' | 'fail' | 'wait' | 'cancel' | 'skip' | 'retry' | 'invalidate';

/** From job state and what happens to the next state; what is not listed is illegal. */
export const jobTransitions = {
  queued: { start: 'running', cancel: 'cancelling' },
  running: { pause: 'paused', complete: 'completed', fail: 'failed', cancel: 'cancelling' },
  paused: { resume: 'running', cancel: 'cancelling' },
  cancelling: { stop: 'cancelled', rollback: 'rolling_back' },
  rolling_back: { undo: 'rolled_back', fail: 'failed' },
  completed: { rollback: 'rolling_back' },
  failed: { retry: 'running', cancel: 'cancelling' },
  cancelled: { rollback: 'rolling_back' },
  rolled_back: { reopen: 'rolling_back' },
} as const satisfies Record<JobState, Partial<Record<JobTransition, JobState>>>;

/** From step state and what happens to the next state; what is not listed is illegal. */
export const stepTransitions = {
  waiting: {
    dispatch: 'dispatched',
    accept: 'running',
    succeed: 'succeeded',
    fail: 'failed',
    wait: 'waiting',
    cancel: 'cancelled',
    skip: 'skipped',
  },
  dispatched: {
    accept: 'running',
    succeed: 'succeeded',
    fail: 'failed',
    wait: 'waiting',
    cancel: 'cancelled',
  },
  running: { succeed: 'succeeded', fail: 'failed', wait: 'waiting', cancel: 'cancelled' },
  succeeded: { invalidate: 'waiting' },
  failed: { retry: 'waiting', invalidate: 'waiting' },
  cancelled: {},
  skipped: {},
} as const satisfies Record<StepState, Partial<Record<StepTransition, StepState>>>;

type Table<State extends string, Event extends string> = Readonly<
  Record<State, Partial<Record<Event, State>>>
>;

function next<State extends string, Event extends string>(
  table: Table<State, Event>,
  what: string,
  state: State,
  event: Event,
): State {
  const to = table[state][event];
  if (to === undefined) {
    throw new AppError({
      code: 'RESTORE_TRANSITION_ILLEGAL',
      message: `${event} ${what}: not possible in state ${state}`,
      details: { state, event },
    });
  }
  return to;
}

/**
 * The state after a transition of a job.
 * @throws {AppError} RESTORE_TRANSITION_ILLEGAL - the table has no such transition
 */
export function nextJobState(jobId: string, state: JobState, event: JobTransition): JobState {
  return next<JobState, JobTransition>(jobTransitions, `job ${jobId}`, state, event);
}

/**
 * The state after a transition of a step.
 * @throws {AppError} RESTORE_TRANSITION_ILLEGAL - the table has no such transition
 */
export function nextStepState(stepKey: string, state: StepState, event: StepTransition): StepState {
  return next<StepState, StepTransition>(stepTransitions, `step ${stepKey}`, state, event);
}
