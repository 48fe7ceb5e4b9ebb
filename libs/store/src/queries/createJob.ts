import type { RestoreJob } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { newId } from '@ascend/runtime';
import { query } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { restoreJobs, restoreReports, restoreSteps } from '../schema/index.ts';
import { backupUnknown } from './backups.ts';
import { insertEvents } from './jobEvents.ts';
import { plannedStepColumns, stepColumns } from './jobRows.ts';
import type { JobView, NewJobEvent, StoredJob } from './jobView.ts';
import { saveLedger } from './ledger.ts';
import { runTransaction } from '../session.ts';

/** A job to be. */
export interface CreateJobParams {
  /** As the engine made it from the plan; nothing of it has been dispatched. */
  readonly job: RestoreJob;
  readonly view: JobView;
  readonly createdBy: string;
  readonly nowMs: number;
  /** Default: one `job-created` event. */
  readonly events?: readonly NewJobEvent[];
  /** Shown as `target_config`; never a secret. Default: target id and policy. */
  readonly targetConfig?: Readonly<Record<string, unknown>>;
}

function jobColumns(params: CreateJobParams, lastEventSeq: number) {
  const { job, view, createdBy, nowMs } = params;
  const { plan } = job;
  return {
    id: job.jobId,
    backupJobId: plan.backupId,
    sourcePlatform: plan.source.platform,
    targetPlatform: plan.target.platform,
    restoreType: 'full_vm' as const,
    status: view.status,
    targetConfig: params.targetConfig ?? { target_id: plan.target.targetId, policy: plan.policy },
    progressPercent: view.progressPercent,
    estimatedCompletion: view.estimatedCompletionMs === null ? null : new Date(view.estimatedCompletionMs),
    targetVmName: plan.vm.name,
    createdAt: new Date(nowMs),
    state: job.state,
    planId: plan.planId,
    plan,
    inputsHash: plan.inputsHash,
    targetId: plan.target.targetId,
    cancelRequested: job.cancelRequested,
    rollbackRequested: job.rollbackRequested,
    pauseRequested: job.pauseRequested,
    error: job.error,
    lastEventSeq,
    createdBy,
  };
}

function refusal(error: unknown, job: RestoreJob): unknown {
  const operation = `create job ${job.jobId}`;
  if (isServerError(error, 'parentMissing')) return backupUnknown(job.plan.backupId, operation);
  if (isServerError(error, 'duplicateKey')) {
    return new AppError({
      code: 'STORE_JOB_EXISTS',
      message: `${operation}: this id is taken`,
      details: { jobId: job.jobId },
    });
  }
  return error;
}

/**
 * Stores a new job with its steps, its first event and the row that will outlive it, in one transaction.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN - the backup is gone; STORE_JOB_EXISTS
 */
export const createJob = query('create job', async (session, params: CreateJobParams): Promise<StoredJob> =>
  runTransaction(session, async (tx) => {
    const { job, nowMs } = params;
    const { plan } = job;
    const events = params.events ?? [{ type: 'job-created', data: { planId: plan.planId } }];
    const steps = new Map(job.steps.map((step) => [step.key, step]));
    try {
      await tx.orm.insert(restoreJobs).values(jobColumns(params, events.length));
    } catch (error) {
      throw refusal(error, job);
    }
    const rows = plan.steps.map((planned, index) => {
      const step = steps.get(planned.key);
      if (step === undefined) {
        const message = `create job ${job.jobId}: the job has no step ${planned.key}`;
        throw new AppError({ code: 'INTERNAL_BUG', message });
      }
      return {
        id: newId(nowMs),
        restoreJobId: job.jobId,
        stepOrder: index + 1,
        ...plannedStepColumns(planned),
        ...stepColumns(step),
      };
    });
    if (rows.length > 0) await tx.orm.insert(restoreSteps).values(rows);
    await saveLedger(tx, [], job, nowMs);
    await insertEvents(tx, job.jobId, 0, events, nowMs);
    await tx.orm.insert(restoreReports).values({
      jobId: job.jobId,
      backupId: plan.backupId,
      vmName: plan.sourceVmName,
      targetId: plan.target.targetId,
      targetPlatform: plan.target.platform,
      restoreType: 'full_vm',
      state: job.state,
      plan,
      startedAt: new Date(nowMs),
    });
    return { job, version: 1, lastEventSeq: events.length, bandwidth: null };
  }),
);
