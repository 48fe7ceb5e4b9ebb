import type { JobStep, RestoreJob } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { and, eq } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { restoreJobs, restoreReports, restoreSteps } from '../schema/index.ts';
import { saveAttempts } from './attempts.ts';
import { insertEvents } from './jobEvents.ts';
import { endStates, errorText, stepColumns, targetVmIdOf } from './jobRows.ts';
import type { JobChange, StoredJob } from './jobView.ts';
import { saveLedger } from './ledger.ts';
import { jobUnknown } from './loadJob.ts';
import { insertOutbox } from './outbox.ts';
import { runTransaction } from '../session.ts';

/** A change and what it was decided from. */
export interface SaveJobParams extends JobChange {
  readonly before: StoredJob;
  readonly nowMs: number;
}

interface LockedRow {
  readonly version: number;
  readonly lastEventSeq: number;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly targetVmId: string | null;
}

async function lockRow(tx: Session, before: StoredJob): Promise<LockedRow> {
  const { jobId } = before.job;
  const [row] = await tx.orm
    .select({
      version: restoreJobs.version,
      lastEventSeq: restoreJobs.lastEventSeq,
      startedAt: restoreJobs.startedAt,
      completedAt: restoreJobs.completedAt,
      targetVmId: restoreJobs.targetVmId,
    })
    .from(restoreJobs)
    .where(eq(restoreJobs.id, jobId))
    .for('update');
  if (row === undefined) throw jobUnknown(jobId, 'save job');
  if (row.version !== before.version) {
    throw new AppError({
      code: 'STORE_JOB_CHANGED',
      message: `save job ${jobId}: it is at version ${row.version}, the change was decided from ${before.version}`,
      details: { jobId, version: row.version, expected: before.version },
    });
  }
  return row;
}

async function saveSteps(tx: Session, before: RestoreJob, after: RestoreJob): Promise<void> {
  const olds = new Map<string, JobStep>(before.steps.map((step) => [step.key, step]));
  for (const step of after.steps) {
    if (olds.get(step.key) === step) continue;
    await tx.orm
      .update(restoreSteps)
      .set(stepColumns(step))
      .where(and(eq(restoreSteps.restoreJobId, after.jobId), eq(restoreSteps.stepKey, step.key)));
  }
}

function jobColumns(params: SaveJobParams, row: LockedRow, lastEventSeq: number) {
  const { after, view, nowMs } = params;
  const now = new Date(nowMs);
  const isEnded = endStates.includes(after.state);
  const estimated = isEnded ? null : view.estimatedCompletionMs;
  return {
    status: view.status,
    progressPercent: Math.min(100, Math.max(0, view.progressPercent)),
    estimatedCompletion: estimated === null ? null : new Date(estimated),
    errorMessage: errorText(after.error),
    // Kept after a rollback: which VM it was remains worth knowing.
    targetVmId: targetVmIdOf(after) ?? row.targetVmId,
    startedAt: row.startedAt ?? (after.state === 'queued' ? null : now),
    completedAt: isEnded ? (row.completedAt ?? now) : null,
    state: after.state,
    version: row.version + 1,
    cancelRequested: after.cancelRequested,
    rollbackRequested: after.rollbackRequested,
    pauseRequested: after.pauseRequested,
    error: after.error,
    lastEventSeq,
  };
}

/** The row that outlives the job follows it: its state, how it ended, and the report of finalize. */
async function saveReport(tx: Session, after: RestoreJob, nowMs: number): Promise<void> {
  const kinds = new Map(after.plan.steps.map((step) => [step.key, step.kind]));
  const finalize = after.steps.find((step) => kinds.get(step.key) === 'finalize');
  const report = finalize?.state === 'succeeded' ? { report: finalize.output ?? null } : {};
  const endedAt = endStates.includes(after.state) ? new Date(nowMs) : null;
  await tx.orm
    .update(restoreReports)
    .set({ state: after.state, error: after.error, endedAt, ...report })
    .where(eq(restoreReports.jobId, after.jobId));
}

/**
 * Saves a change of a job with everything that belongs to it: steps, attempts, ledger, outbox, events, the older
 * product's columns. All of it or nothing. Steps and ledger entries that are the same objects as before are not written.
 *
 * @throws {AppError} STORE_JOB_CHANGED - someone saved since `before` was read; STORE_JOB_UNKNOWN - the backup was deleted
 */
export const saveJob = query('save job', async (session, params: SaveJobParams): Promise<StoredJob> =>
  runTransaction(session, async (tx) => {
    const { before, after, nowMs } = params;
    const row = await lockRow(tx, before);
    await saveSteps(tx, before.job, after);
    await saveLedger(tx, before.job.ledger, after, nowMs);
    await saveAttempts(tx, before.job, after, nowMs);
    await insertOutbox(tx, params.outbox, nowMs);
    const lastEventSeq = await insertEvents(tx, after.jobId, row.lastEventSeq, params.events, nowMs);
    await tx.orm
      .update(restoreJobs)
      .set(jobColumns(params, row, lastEventSeq))
      .where(eq(restoreJobs.id, after.jobId));
    await saveReport(tx, after, nowMs);
    return { job: after, version: row.version + 1, lastEventSeq, bandwidth: before.bandwidth };
  }),
);
