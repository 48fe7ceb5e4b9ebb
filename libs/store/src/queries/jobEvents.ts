import { and, asc, eq, gt } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { jobEvents, restoreJobs } from '../schema/index.ts';
import { jobUnknown } from './loadJob.ts';
import type { NewJobEvent } from './jobView.ts';
import { runTransaction } from '../session.ts';

/** An entry of a job's history; `seq` counts from 1 per job without a gap. */
export interface JobEvent extends NewJobEvent {
  readonly seq: number;
  readonly at: Date;
}

/** Writes events behind `lastSeq` and returns the new last one. Only under the lock of the job's row (D14). */
export async function insertEvents(
  tx: Session,
  jobId: string,
  lastSeq: number,
  events: readonly NewJobEvent[],
  nowMs: number,
): Promise<number> {
  if (events.length > 0) {
    await tx.orm.insert(jobEvents).values(
      events.map((event, index) => ({
        restoreJobId: jobId,
        seq: lastSeq + index + 1,
        type: event.type,
        at: new Date(nowMs),
        data: event.data ?? {},
      })),
    );
  }
  return lastSeq + events.length;
}

/**
 * Adds events that come with no change of the job. Returns the last number.
 *
 * @throws {AppError} STORE_JOB_UNKNOWN
 */
export const appendEvents = query(
  'append job events',
  async (
    session,
    params: { readonly jobId: string; readonly events: readonly NewJobEvent[]; readonly nowMs: number },
  ) =>
    runTransaction(session, async (tx) => {
      const { jobId, events, nowMs } = params;
      const [row] = await tx.orm
        .select({ lastEventSeq: restoreJobs.lastEventSeq })
        .from(restoreJobs)
        .where(eq(restoreJobs.id, jobId))
        .for('update');
      if (row === undefined) throw jobUnknown(jobId, 'append job events');
      const lastEventSeq = await insertEvents(tx, jobId, row.lastEventSeq, events, nowMs);
      await tx.orm.update(restoreJobs).set({ lastEventSeq }).where(eq(restoreJobs.id, jobId));
      return lastEventSeq;
    }),
);

/** Events after `afterSeq`, oldest first, at most `limit` (default 500). An unknown job has none. */
export const readEvents = query(
  'read job events',
  async (
    session,
    params: { readonly jobId: string; readonly afterSeq: number; readonly limit?: number },
  ): Promise<readonly JobEvent[]> =>
    session.orm
      .select({ seq: jobEvents.seq, type: jobEvents.type, at: jobEvents.at, data: jobEvents.data })
      .from(jobEvents)
      .where(and(eq(jobEvents.restoreJobId, params.jobId), gt(jobEvents.seq, params.afterSeq)))
      .orderBy(asc(jobEvents.seq))
      .limit(params.limit ?? 500),
);
