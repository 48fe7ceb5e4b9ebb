import type { RestoreJob } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { stepOf, withStep } from './job.ts';

/** The step and all that depend on it, directly or not, in plan order. */
function withDependents(job: RestoreJob, key: string): readonly string[] {
  const affected = new Set([key]);
  for (const step of job.plan.steps) {
    if (step.dependsOn.some((dependency) => affected.has(dependency))) affected.add(step.key);
  }
  return [...affected];
}

/**
 * Forgets the result of a step and of all that were built on it, so that they are done again: used when a sealed overlay is
 * lost with its agent (D9). Attempt counters go on, ledger rows stay: the resources are adopted by name.
 * @throws {AppError} RESTORE_STEP_UNKNOWN - the job has no such step
 * @throws {AppError} RESTORE_INVALIDATE_REFUSED - a VM was already made from the result: its disks must not be written again
 * @throws {AppError} RESTORE_TRANSITION_ILLEGAL - one of the steps is in flight or closed
 */
export function invalidate(job: RestoreJob, key: string): RestoreJob {
  stepOf(job, key);
  const affected = withDependents(job, key);
  const vm = job.ledger.find(
    (row) => row.kind === 'vm' && row.state !== 'gone' && affected.includes(row.stepKey),
  );
  if (vm !== undefined) {
    throw new AppError({
      code: 'RESTORE_INVALIDATE_REFUSED',
      message: `redo step ${key} of job ${job.jobId}: VM ${vm.name} is ${vm.state}`,
      details: { jobId: job.jobId, stepKey: key, vm: vm.name },
    });
  }
  return affected
    .filter((affectedKey) => stepOf(job, affectedKey).attempt > 0)
    .reduce(
      (changed, affectedKey) =>
        withStep(
          changed,
          affectedKey,
          { opId: null, error: null, output: null, checkpoint: null, completedAtMs: null, notBeforeMs: 0 },
          stepOf(changed, affectedKey).state === 'waiting' ? 'wait' : 'invalidate',
        ),
      job,
    );
}
