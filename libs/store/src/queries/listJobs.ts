import type { JobState, SeedRestoreStatus, StepProgress } from '@ascend/domain';
import { and, asc, desc, eq, getTableColumns, inArray, notInArray } from 'drizzle-orm';
import { query } from '../database.ts';
import { restoreJobs, restoreSteps } from '../schema/index.ts';
import { endStates, type JobRow } from './jobRows.ts';
import type { JobView } from './jobView.ts';
import { runTransaction } from '../session.ts';

/** A restore as a list shows it: all columns but the plan. */
export type JobSummary = Omit<JobRow, 'plan'>;

/** Which restores to list. */
export interface JobFilter {
  readonly status?: SeedRestoreStatus;
  readonly states?: readonly JobState[];
  readonly backupId?: string;
  readonly targetId?: string;
  /** Default 100. */
  readonly limit?: number;
}

const { plan: _plan, ...summaryColumns } = getTableColumns(restoreJobs);

/** Restores that match, newest first. */
export const listJobs = query(
  'list jobs',
  async (session, filter: JobFilter = {}): Promise<readonly JobSummary[]> => {
    const { status, states, backupId, targetId } = filter;
    return session.orm
      .select(summaryColumns)
      .from(restoreJobs)
      .where(
        and(
          status === undefined ? undefined : eq(restoreJobs.status, status),
          states === undefined ? undefined : inArray(restoreJobs.state, [...states]),
          backupId === undefined ? undefined : eq(restoreJobs.backupJobId, backupId),
          targetId === undefined ? undefined : eq(restoreJobs.targetId, targetId),
        ),
      )
      .orderBy(desc(restoreJobs.createdAt), desc(restoreJobs.id))
      .limit(filter.limit ?? 100);
  },
);

/** Ids of the jobs that have not ended, oldest first: what a dispatcher looks at on each tick. */
export const listActiveJobs = query('list active jobs', async (session): Promise<readonly string[]> => {
  const rows = await session.orm
    .select({ id: restoreJobs.id })
    .from(restoreJobs)
    .where(notInArray(restoreJobs.state, [...endStates]))
    .orderBy(asc(restoreJobs.createdAt), asc(restoreJobs.id));
  return rows.map((row) => row.id);
});

/**
 * Stores the newest counters of steps and the percentage that follows from them. Not a change of the job: its version
 * stays, and counters older than the stored ones are dropped by the caller.
 */
export const saveProgress = query(
  'save progress',
  async (
    session,
    params: {
      readonly jobId: string;
      readonly progress: readonly StepProgress[];
      readonly view: Omit<JobView, 'status'>;
    },
  ): Promise<void> =>
    runTransaction(session, async (tx) => {
      const { jobId, progress, view } = params;
      const estimated = view.estimatedCompletionMs;
      // An ended job shows what it ended with. The job's row is always taken before its steps' rows.
      const [result] = await tx.orm
        .update(restoreJobs)
        .set({
          progressPercent: Math.min(100, Math.max(0, view.progressPercent)),
          estimatedCompletion: estimated === null ? null : new Date(estimated),
        })
        .where(and(eq(restoreJobs.id, jobId), notInArray(restoreJobs.state, [...endStates])));
      if (result.affectedRows === 0) return;
      for (const one of progress) {
        await tx.orm
          .update(restoreSteps)
          .set({ progress: one })
          .where(and(eq(restoreSteps.restoreJobId, jobId), eq(restoreSteps.stepKey, one.stepKey)));
      }
    }),
);
