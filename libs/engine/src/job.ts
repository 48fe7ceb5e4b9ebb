import {
  isBlocked,
  type JobStep,
  type LedgerEntry,
  type PlanStep,
  type RestoreJob,
  type RestorePlan,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { nextJobState, nextStepState, type JobTransition, type StepTransition } from './transitions.ts';

/**
 * Makes the job of a plan: queued, every step waiting, ledger empty.
 * @throws {AppError} PLAN_BLOCKED - a finding of the plan forbids the start
 */
export function createJob(plan: RestorePlan, jobId: string): RestoreJob {
  if (isBlocked(plan.findings)) {
    const blocked = plan.findings.filter((finding) => finding.severity === 'blocked');
    throw new AppError({
      code: 'PLAN_BLOCKED',
      message: `create job from plan ${plan.planId}: ${blocked.map((finding) => finding.message).join('; ')}`,
      details: { planId: plan.planId, codes: blocked.map((finding) => finding.code) },
    });
  }
  return {
    jobId,
    plan,
    state: 'queued',
    cancelRequested: false,
    rollbackRequested: false,
    pauseRequested: false,
    steps: plan.steps.map((step) => ({
      key: step.key,
      state: 'waiting',
      attempt: 0,
      opId: null,
      epoch: 1,
      notBeforeMs: 0,
      error: null,
      output: null,
      checkpoint: null,
      startedAtMs: null,
      completedAtMs: null,
    })),
    ledger: [],
    error: null,
  };
}

/** Keys that the job holds from start to end, beside those of its running steps (D17). */
export function jobKeys(plan: RestorePlan): readonly string[] {
  return [`name:${plan.target.targetId}:${plan.vm.name}`];
}

/** True while an agent may be working on the step. */
export function isInFlight(step: JobStep): boolean {
  return step.state === 'dispatched' || step.state === 'running';
}

/** The highest epoch given out so far; agents fence per job, so a later command never carries a lower one (D7). */
export function jobEpoch(job: RestoreJob): number {
  return Math.max(1, ...job.steps.map((step) => step.epoch));
}

/**
 * A step of the job by key.
 * @throws {AppError} RESTORE_STEP_UNKNOWN - the job has no such step
 */
export function stepOf(job: RestoreJob, key: string): JobStep {
  return known(
    job.steps.find((step) => step.key === key),
    job,
    key,
  );
}

/**
 * A step of the job's plan by key.
 * @throws {AppError} RESTORE_STEP_UNKNOWN - the plan has no such step
 */
export function planStepOf(job: RestoreJob, key: string): PlanStep {
  return known(
    job.plan.steps.find((step) => step.key === key),
    job,
    key,
  );
}

function known<T>(step: T | undefined, job: RestoreJob, key: string): T {
  if (step !== undefined) return step;
  throw new AppError({
    code: 'RESTORE_STEP_UNKNOWN',
    message: `find step of job ${job.jobId}: there is no step ${key}`,
    details: { jobId: job.jobId, stepKey: key },
  });
}

/** The job with one step changed; the transition, when given, must be legal. */
export function withStep(
  job: RestoreJob,
  key: string,
  change: Partial<Omit<JobStep, 'key' | 'state'>>,
  transition?: StepTransition,
): RestoreJob {
  const steps = job.steps.map((step) => {
    if (step.key !== key) return step;
    const state = transition === undefined ? step.state : nextStepState(key, step.state, transition);
    return Object.assign({}, step, change, { state });
  });
  return { ...job, steps };
}

/** The job after a legal transition. */
export function withJobState(job: RestoreJob, transition: JobTransition): RestoreJob {
  return { ...job, state: nextJobState(job.jobId, job.state, transition) };
}

/** The job with one ledger row replaced, or added when it is new. */
export function withLedger(job: RestoreJob, entry: LedgerEntry): RestoreJob {
  const same = (row: LedgerEntry): boolean =>
    row.stepKey === entry.stepKey && row.resourceKey === entry.resourceKey;
  const ledger = job.ledger.some(same)
    ? job.ledger.map((row) => (same(row) ? entry : row))
    : [...job.ledger, entry];
  return { ...job, ledger };
}

/** Outputs of all steps that the step depends on, directly or not: what its command carries. */
export function outputsFor(job: RestoreJob, key: string): Readonly<Record<string, unknown>> {
  const found = new Map<string, unknown>();
  const visit = (stepKey: string): void => {
    for (const dependency of planStepOf(job, stepKey).dependsOn) {
      if (!found.has(dependency)) {
        found.set(dependency, stepOf(job, dependency).output);
        visit(dependency);
      }
    }
  };
  visit(key);
  return Object.fromEntries(found);
}
