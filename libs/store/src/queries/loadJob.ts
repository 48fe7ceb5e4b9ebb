import { AppError } from '@ascend/errors';
import { asc, eq } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { ledger, restoreJobs, restoreSteps } from '../schema/index.ts';
import { storedBandwidth } from './bandwidthCap.ts';
import { toRestoreJob, type JobRow, type LedgerRow, type StepRow } from './jobRows.ts';
import type { StoredJob } from './jobView.ts';
import { readTransferAgents, type AgentBandwidthRow } from './transferAgents.ts';

/** The error for a job that is not, or no longer, there. */
export function jobUnknown(jobId: string, operation: string): AppError {
  return new AppError({
    code: 'STORE_JOB_UNKNOWN',
    message: `${operation}: no restore ${JSON.stringify(jobId)}`,
    details: { jobId },
  });
}

/** A restore with everything the API shows of it: every column, the steps in order, the ledger in undo order. */
export interface RestoreRows {
  readonly job: JobRow;
  readonly steps: readonly StepRow[];
  readonly ledger: readonly LedgerRow[];
  /** The agents that move its disks. */
  readonly agents: readonly AgentBandwidthRow[];
}

type JobRows = Omit<RestoreRows, 'agents'>;

async function readRows(session: Session, jobId: string, lock: boolean): Promise<JobRows | null> {
  const select = session.orm.select().from(restoreJobs).where(eq(restoreJobs.id, jobId));
  const [job] = await (lock ? select.for('update') : select);
  if (job === undefined) return null;
  const steps = await session.orm
    .select()
    .from(restoreSteps)
    .where(eq(restoreSteps.restoreJobId, jobId))
    .orderBy(asc(restoreSteps.stepOrder));
  const ledgerRows = await session.orm
    .select()
    .from(ledger)
    .where(eq(ledger.jobId, jobId))
    .orderBy(asc(ledger.undoOrder), asc(ledger.stepKey), asc(ledger.resourceKey));
  return { job, steps, ledger: ledgerRows };
}

/**
 * Everything stored of one restore.
 *
 * @throws {AppError} STORE_JOB_UNKNOWN
 */
export const readRestore = query('read restore', async (session, jobId: string): Promise<RestoreRows> => {
  const rows = await readRows(session, jobId, false);
  if (rows === null) throw jobUnknown(jobId, 'read restore');
  return { ...rows, agents: await readTransferAgents(session, jobId) };
});

/**
 * The job as the engine works on it. With `lock` its row stays locked until the transaction ends; only then is what
 * was read still true when it is saved.
 *
 * @throws {AppError} STORE_JOB_UNKNOWN; STORE_JOB_FOREIGN - a row of the older product
 */
export const loadJob = query(
  'load job',
  async (session, jobId: string, options: { readonly lock?: boolean } = {}): Promise<StoredJob> => {
    const rows = await readRows(session, jobId, options.lock === true);
    if (rows === null) throw jobUnknown(jobId, 'load job');
    const { job, steps } = rows;
    if (job.plan === null) {
      throw new AppError({
        code: 'STORE_JOB_FOREIGN',
        message: `load job ${jobId}: it has no plan`,
        details: { jobId },
      });
    }
    return {
      job: toRestoreJob(job, job.plan, steps, rows.ledger),
      version: job.version,
      lastEventSeq: job.lastEventSeq,
      bandwidth: storedBandwidth(job),
    };
  },
);
