import {
  stepDefinitions,
  type JobState,
  type JobStep,
  type RestoreJob,
  type SeedRestoreStatus,
  type StepProgress,
  type StepState,
} from '@ascend/domain';
import { isInFlight, planStepOf } from './job.ts';

/** Status of a step in the words of the seeds' `restore_steps`. */
export type SeedStepStatus = 'pending' | 'running' | 'completed' | 'failed';

/** What the seeds' columns say about a job (D20). */
export interface SeedView {
  readonly status: SeedRestoreStatus;
  /** 0 … 100 with two digits. */
  readonly progressPercent: number;
  /** The furthest step in flight, else the next one to run; null when the job ended. */
  readonly currentStep: string | null;
  readonly steps: readonly { readonly stepKey: string; readonly status: SeedStepStatus }[];
}

/** Latest counters by step key; steps without bytes need none. */
export type ProgressByStep = Readonly<
  Record<string, Pick<StepProgress, 'bytesDone' | 'bytesTotal'> | undefined>
>;

const stepStatus: Readonly<Record<StepState, SeedStepStatus>> = {
  waiting: 'pending',
  dispatched: 'running',
  running: 'running',
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'failed',
  skipped: 'pending',
};

function currentStep(job: RestoreJob): JobStep | undefined {
  return (
    job.steps.findLast(isInFlight) ??
    job.steps.find((step) => step.state === 'waiting' || step.state === 'failed')
  );
}

/**
 * Status by job state; null = that of the current step. A rollback shows a status that is no end: scripts that poll for an
 * end must not stop while resources are still being removed.
 */
const jobStatus: Readonly<Record<JobState, SeedRestoreStatus | null>> = {
  queued: 'pending',
  running: null,
  paused: 'paused',
  cancelling: null,
  rolling_back: 'pending',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  rolled_back: 'rolled_back',
};

function currentStatus(job: RestoreJob): SeedRestoreStatus {
  const step = currentStep(job);
  return step === undefined ? 'creating' : stepDefinitions[planStepOf(job, step.key).kind].seedStatus;
}

function weightOf(job: RestoreJob, stepKey: string): number {
  const step = planStepOf(job, stepKey);
  const { weight } = stepDefinitions[step.kind];
  if (step.kind !== 'transfer-disk') return weight;
  // All transfers share one weight by their bytes; one byte each keeps empty disks countable.
  const total = job.plan.steps
    .filter((other) => other.kind === 'transfer-disk')
    .reduce((sum, other) => sum + other.bytes + 1, 0);
  return (weight * (step.bytes + 1)) / total;
}

function fractionOf(step: JobStep, progress: ProgressByStep): number {
  if (step.state === 'succeeded') return 1;
  const counters = progress[step.key];
  if (counters === undefined || counters.bytesTotal <= 0) return 0;
  return Math.min(1, Math.max(0, counters.bytesDone / counters.bytesTotal));
}

function percent(job: RestoreJob, progress: ProgressByStep): number {
  const weights = job.steps.map((step) => weightOf(job, step.key));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const done = job.steps.reduce((sum, step) => sum + weightOf(job, step.key) * fractionOf(step, progress), 0);
  return Math.floor((done / total) * 10_000 + 1e-6) / 100;
}

/** The seeds' view of a job; `progress` holds the latest absolute counters of running steps. */
export function seedView(job: RestoreJob, progress: ProgressByStep = {}): SeedView {
  const ended = job.state === 'completed' || job.state === 'cancelled' || job.state === 'rolled_back';
  return {
    status: jobStatus[job.state] ?? currentStatus(job),
    progressPercent: job.state === 'completed' ? 100 : percent(job, progress),
    currentStep: ended ? null : (currentStep(job)?.key ?? null),
    steps: job.steps.map((step) => ({ stepKey: step.key, status: stepStatus[step.state] })),
  };
}
