import { hasCode } from '@ascend/errors';
import { eq, lt } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { inbox } from '../schema/index.ts';
import type { JobChange, StoredJob } from './jobView.ts';
import { loadJob } from './loadJob.ts';
import { saveJob } from './saveJob.ts';
import { runTransaction } from '../session.ts';

/**
 * Decides about a job. `null` or an unchanged job without messages and events writes nothing. Queries of its own (slots
 * …) go through `tx`. It may be called again after a deadlock, so it must do nothing else.
 */
export type DecideJob = (stored: StoredJob, tx: Session) => Promise<JobChange | null> | JobChange | null;

async function lockAndSave(tx: Session, jobId: string, nowMs: number, decide: DecideJob): Promise<StoredJob> {
  const before = await loadJob(tx, jobId, { lock: true });
  const change = await decide(before, tx);
  const isNothing =
    change === null ||
    (change.after === before.job && change.outbox.length === 0 && change.events.length === 0);
  return isNothing ? before : saveJob(tx, { ...change, before, nowMs });
}

/**
 * Loads a job under its row lock, lets `decide` change it and saves, in one transaction. Two replicas that decide about
 * one job do so one after the other.
 *
 * @throws {AppError} STORE_JOB_UNKNOWN, STORE_JOB_FOREIGN, and what `decide` throws (then nothing is written)
 */
export const changeJob = query(
  'change job',
  async (
    session,
    params: { readonly jobId: string; readonly nowMs: number; readonly decide: DecideJob },
  ): Promise<StoredJob> =>
    runTransaction(session, (tx) => lockAndSave(tx, params.jobId, params.nowMs, params.decide)),
);

/** An event of an agent, as far as storing it goes. */
export interface AgentEvent {
  readonly eventId: string;
  readonly jobId: string;
  readonly opId: string;
  readonly type: string;
}

/** What became of an agent's event. */
export type AgentEventOutcome =
  | { readonly outcome: 'applied'; readonly stored: StoredJob }
  /** Seen before: nothing was done. Acknowledge it. */
  | { readonly outcome: 'duplicate' }
  /** The job's row is gone. The event is noted; ledger facts go to `noteLedger`. */
  | { readonly outcome: 'job-unknown' };

/**
 * Takes in an agent's event: the inbox row and the change it causes are one transaction, so that it counts exactly
 * once. Acknowledge the event on the bus only after this has returned.
 *
 * @throws {AppError} what `decide` throws; then the event counts as not seen
 */
export const takeAgentEvent = query(
  'take agent event',
  async (
    session,
    params: {
      readonly event: AgentEvent;
      readonly nowMs: number;
      /** The change, or why the event changes nothing. */
      readonly decide: (
        stored: StoredJob,
        tx: Session,
      ) => Promise<JobChange | { readonly ignored: string }> | JobChange | { readonly ignored: string };
    },
  ): Promise<AgentEventOutcome> =>
    runTransaction(session, async (tx): Promise<AgentEventOutcome> => {
      const { event, nowMs } = params;
      try {
        await tx.orm.insert(inbox).values({ ...event, receivedAt: new Date(nowMs) });
      } catch (error) {
        if (isServerError(error, 'duplicateKey')) return { outcome: 'duplicate' };
        throw error;
      }
      const ignore = async (reason: string): Promise<void> => {
        await tx.orm
          .update(inbox)
          .set({ ignored: reason.slice(0, 255) })
          .where(eq(inbox.eventId, event.eventId));
      };
      try {
        const stored = await lockAndSave(tx, event.jobId, nowMs, async (before) => {
          const decided = await params.decide(before, tx);
          if (!('ignored' in decided)) return decided;
          await ignore(decided.ignored);
          return null;
        });
        return { outcome: 'applied', stored };
      } catch (error) {
        if (!hasCode(error, 'STORE_JOB_UNKNOWN')) throw error;
        await ignore('job unknown');
        return { outcome: 'job-unknown' };
      }
    }),
);

/** Forgets events that were taken in before `beforeMs`; the bus keeps none that old. Returns how many. */
export const pruneInbox = query('prune inbox', async (session, beforeMs: number): Promise<number> => {
  const [result] = await session.orm.delete(inbox).where(lt(inbox.receivedAt, new Date(beforeMs)));
  return result.affectedRows;
});
