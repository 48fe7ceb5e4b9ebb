import type { JobState, JobStep, LedgerEntry, PlanStep, RestoreJob } from '@ascend/domain';
import { ownedName } from '@ascend/domain';
import { changesBetween } from './changes.ts';
import type { Effect, JobEndedEffect } from './effect.ts';
import { isInFlight, jobEpoch, planStepOf, stepOf, withJobState, withLedger, withStep } from './job.ts';

/** A command that was not started within this time is refused by the agent (D15: latest start, not latest finish). */
const latestStartMs = 3_600_000;

/** A cancel message is sent again after this time while the operation has not ended; agents answer within 10 s (D16). */
const cancelRepeatMs = 10_000;

/** What `decide` may know of the world. */
export interface DecideParams {
  readonly nowMs: number;
  readonly newOpId: () => string;
  readonly isAgentOnline: (agentId: string) => boolean;
  /** Concurrency keys that steps of other jobs hold now (D17); default: none. */
  readonly busyKeys?: ReadonlySet<string>;
}

/** The job after the decision, and what to commit or send with it. */
export interface Decision {
  readonly job: RestoreJob;
  readonly effects: readonly Effect[];
}

interface Draft {
  job: RestoreJob;
  readonly effects: Effect[];
}

/** Closes what will never run: skipped when it was never out, cancelled when its operation was lost with an agent. */
function closeWaiting(job: RestoreJob): RestoreJob {
  return job.steps
    .filter((step) => step.state === 'waiting')
    .reduce((changed, step) => withStep(changed, step.key, {}, step.opId === null ? 'skip' : 'cancel'), job);
}

/** Enters the rollback. A higher epoch for all steps makes late operations of the run unwelcome at the agents. */
export function enterRollback(job: RestoreJob): RestoreJob {
  const epoch = jobEpoch(job) + 1;
  const rolling = withJobState(closeWaiting(job), 'rollback');
  return {
    ...rolling,
    steps: rolling.steps.map((step) => Object.assign({}, step, { epoch, notBeforeMs: 0 })),
  };
}

function settleRunning(job: RestoreJob): RestoreJob {
  if (job.steps.some(isInFlight)) return job;
  const failed = job.steps.find((step) => step.state === 'failed');
  if (failed !== undefined) return { ...withJobState(job, 'fail'), error: failed.error };
  if (job.steps.every((step) => step.state === 'succeeded')) return withJobState(job, 'complete');
  return job.pauseRequested ? withJobState(job, 'pause') : job;
}

function settleCancelling(job: RestoreJob): RestoreJob {
  if (job.steps.some(isInFlight)) return job;
  return job.rollbackRequested ? enterRollback(job) : withJobState(closeWaiting(job), 'stop');
}

function settleRollback(job: RestoreJob): RestoreJob {
  // An undo that cannot succeed takes the request back.
  if (!job.rollbackRequested) return withJobState(job, 'fail');
  return isLedgerEmpty(job) ? withJobState(job, 'undo') : job;
}

function isLedgerEmpty(job: RestoreJob): boolean {
  return job.ledger.every((entry) => entry.state === 'gone');
}

function stay(job: RestoreJob): RestoreJob {
  return job;
}

/** One move of the job's own state machine by state; the same object when nothing changes. */
const settle: Readonly<Record<JobState, (job: RestoreJob) => RestoreJob>> = {
  queued: (job) => withJobState(job, 'start'),
  running: settleRunning,
  paused: (job) => (job.pauseRequested ? job : withJobState(job, 'resume')),
  cancelling: settleCancelling,
  rolling_back: settleRollback,
  rolled_back: (job) => (isLedgerEmpty(job) ? job : withJobState(job, 'reopen')),
  completed: stay,
  failed: stay,
  cancelled: stay,
};

function settleFully(job: RestoreJob): RestoreJob {
  const settled = settle[job.state](job);
  return settled === job ? job : settleFully(settled);
}

function isReady(job: RestoreJob, step: JobStep, plan: PlanStep, params: DecideParams): boolean {
  return (
    step.state === 'waiting' &&
    step.notBeforeMs <= params.nowMs &&
    plan.dependsOn.every((key) => stepOf(job, key).state === 'succeeded') &&
    params.isAgentOnline(plan.agentId)
  );
}

/** Intents for what the attempt may create; a resource that is there or may be there keeps its row, so that it is adopted. */
function addIntents(draft: Draft, plan: PlanStep, opId: string): void {
  for (const resource of plan.resources) {
    const existing = draft.job.ledger.find(
      (entry) => entry.stepKey === plan.key && entry.resourceKey === resource.resourceKey,
    );
    if (existing === undefined || existing.state === 'gone' || existing.state === 'abandoned') {
      const entry: LedgerEntry = {
        jobId: draft.job.jobId,
        stepKey: plan.key,
        resourceKey: resource.resourceKey,
        targetId: draft.job.plan.target.targetId,
        kind: resource.kind,
        name: ownedName(draft.job.jobId, plan.key, resource.resourceKey),
        token: null,
        state: 'intended',
        undoOrder: resource.undoOrder,
        opId,
      };
      draft.job = withLedger(draft.job, entry);
      draft.effects.push({ type: 'ledger-intent', entry });
    }
  }
}

function dispatchRun(draft: Draft, plan: PlanStep, params: DecideParams): void {
  const step = stepOf(draft.job, plan.key);
  const opId = params.newOpId();
  const attempt = step.attempt + 1;
  // An op_id on a waiting step means that its agent was lost: the new attempt must outrank it wherever it still runs (D7).
  const epoch = jobEpoch(draft.job) + (step.opId === null ? 0 : 1);
  addIntents(draft, plan, opId);
  draft.job = withStep(
    draft.job,
    plan.key,
    { opId, attempt, epoch, error: null, startedAtMs: step.startedAtMs ?? params.nowMs },
    'dispatch',
  );
  draft.effects.push({
    type: 'dispatch',
    opId,
    stepKey: plan.key,
    attempt,
    epoch,
    agentId: plan.agentId,
    deadlineMs: params.nowMs + latestStartMs,
    mode: 'run',
    resourceKey: null,
  });
}

function dispatchRuns(draft: Draft, params: DecideParams): void {
  if (draft.job.pauseRequested || draft.job.steps.some((step) => step.state === 'failed')) return;
  const busy = new Set(params.busyKeys);
  for (const step of draft.job.steps.filter(isInFlight)) {
    for (const key of planStepOf(draft.job, step.key).concurrencyKeys) busy.add(key);
  }
  for (const plan of draft.job.plan.steps) {
    const ready = isReady(draft.job, stepOf(draft.job, plan.key), plan, params);
    if (ready && !plan.concurrencyKeys.some((key) => busy.has(key))) {
      dispatchRun(draft, plan, params);
      for (const key of plan.concurrencyKeys) busy.add(key);
    }
  }
}

function cancelOps(draft: Draft, params: DecideParams): void {
  for (const step of draft.job.steps.filter(isInFlight)) {
    if (step.opId !== null && step.notBeforeMs <= params.nowMs) {
      const { agentId } = planStepOf(draft.job, step.key);
      draft.job = withStep(draft.job, step.key, { notBeforeMs: params.nowMs + cancelRepeatMs });
      draft.effects.push({ type: 'cancel-op', opId: step.opId, agentId });
    }
  }
}

/** Undoes the resource that was created last. The next one waits until this one was seen gone. */
function dispatchUndo(draft: Draft, params: DecideParams): void {
  // A resource that shows up again while another one is being removed waits for its turn.
  const busy = draft.job.ledger.some((row) => row.state === 'deleting');
  const [entry] = draft.job.ledger
    .filter((row) => row.state !== 'gone')
    .sort((a, b) => b.undoOrder - a.undoOrder);
  if (entry === undefined || busy) return;
  const step = stepOf(draft.job, entry.stepKey);
  const { agentId } = planStepOf(draft.job, entry.stepKey);
  if (step.notBeforeMs > params.nowMs || !params.isAgentOnline(agentId)) return;
  const opId = params.newOpId();
  const attempt = step.attempt + 1;
  const epoch = jobEpoch(draft.job);
  draft.job = withStep(draft.job, step.key, { attempt, epoch });
  draft.job = withLedger(draft.job, { ...entry, state: 'deleting', opId });
  draft.effects.push({
    type: 'dispatch',
    opId,
    stepKey: step.key,
    attempt,
    epoch,
    agentId,
    deadlineMs: params.nowMs + latestStartMs,
    mode: 'undo',
    resourceKey: entry.resourceKey,
  });
}

function endOf(before: RestoreJob, after: RestoreJob): readonly JobEndedEffect[] {
  const { state } = after;
  if (state === before.state) return [];
  const ended =
    state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'rolled_back';
  return ended ? [{ type: 'job-ended', state }] : [];
}

/**
 * Decides what is to be done next. Pure and idempotent: decided again at the same time, the resulting job gives no effects.
 * The caller commits job and effects in one transaction and only then sends anything.
 */
export function decide(job: RestoreJob, params: DecideParams): Decision {
  const draft: Draft = { job: settleFully(job), effects: [] };
  if (draft.job.state === 'running') dispatchRuns(draft, params);
  if (draft.job.state === 'cancelling') cancelOps(draft, params);
  if (draft.job.state === 'rolling_back') dispatchUndo(draft, params);
  return {
    job: draft.job,
    effects: [...draft.effects, ...changesBetween(job, draft.job), ...endOf(job, draft.job)],
  };
}
