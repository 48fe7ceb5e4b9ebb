import type { StoredError } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { and, asc, count, desc, eq, isNull } from 'drizzle-orm';
import { query } from '../database.ts';
import { restoreJobs, restoreReports } from '../schema/index.ts';
import { jobUnknown } from './loadJob.ts';

/** A row of `restore_reports`. */
export type ReportRow = typeof restoreReports.$inferSelect;

/**
 * What is kept of a restore, also when its backup and with it its row were deleted.
 *
 * @throws {AppError} STORE_JOB_UNKNOWN - there never was one
 */
export const readReport = query('read report', async (session, jobId: string): Promise<ReportRow> => {
  const [row] = await session.orm.select().from(restoreReports).where(eq(restoreReports.jobId, jobId));
  if (row === undefined) throw jobUnknown(jobId, 'read report');
  return row;
});

/** Restores that had not ended when their row was cascaded away with the backup: their agents must be told to stop. */
export const listVanishedJobs = query(
  'list vanished jobs',
  async (session): Promise<readonly ReportRow[]> => {
    const rows = await session.orm
      .select({ report: restoreReports })
      .from(restoreReports)
      .leftJoin(restoreJobs, eq(restoreJobs.id, restoreReports.jobId))
      .where(and(isNull(restoreJobs.id), isNull(restoreReports.endedAt)))
      .orderBy(asc(restoreReports.startedAt));
    return rows.map((row) => row.report);
  },
);

/** Ends the report of a vanished job. A report that has ended stays as it is. */
export const closeReport = query(
  'close report',
  async (
    session,
    params: { readonly jobId: string; readonly error: StoredError | null; readonly nowMs: number },
  ): Promise<void> => {
    const { jobId, error, nowMs } = params;
    const [result] = await session.orm
      .update(restoreReports)
      .set({ state: 'failed', error, endedAt: new Date(nowMs) })
      .where(and(eq(restoreReports.jobId, jobId), isNull(restoreReports.endedAt)));
    if (result.affectedRows === 0) await readReport(session, jobId);
  },
);

/** Restores per VM and type: what usage is reported from. */
export const countUsage = query('count usage', async (session) =>
  session.orm
    .select({
      vmName: restoreReports.vmName,
      restoreType: restoreReports.restoreType,
      state: restoreReports.state,
      restores: count(),
    })
    .from(restoreReports)
    .groupBy(restoreReports.vmName, restoreReports.restoreType, restoreReports.state)
    .orderBy(desc(count()), asc(restoreReports.vmName)),
);

/** The error a job ends with when its backup is deleted under it. */
export function backupDeletedUnderJob(jobId: string, backupId: string): AppError {
  return new AppError({
    code: 'CATALOG_BACKUP_UNKNOWN',
    message: `run job ${jobId}: backup ${backupId} was deleted from the catalogue while it ran`,
    details: { jobId, backupId },
  });
}
