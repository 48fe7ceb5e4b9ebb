import type { LedgerEntry, RestoreJob } from '@ascend/domain';
import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { ledger, restoreJobs } from '../schema/index.ts';
import { toLedgerEntry } from './jobRows.ts';

/** Writes the ledger entries that differ from `before`; part of saving a job. Rows are never removed. */
export async function saveLedger(
  tx: Session,
  before: readonly LedgerEntry[],
  after: RestoreJob,
  nowMs: number,
): Promise<void> {
  const changed = after.ledger.filter((entry) => !before.includes(entry));
  if (changed.length === 0) return;
  const now = new Date(nowMs);
  await tx.orm
    .insert(ledger)
    .values(
      changed.map((entry) =>
        Object.assign({}, entry, {
          token: entry.token ?? null,
          // What a target that supports tags is marked with: all of a job's resources are found by it.
          tag: entry.jobId,
          epoch: after.steps.find((step) => step.key === entry.stepKey)?.epoch ?? 0,
          createdAt: now,
          updatedAt: now,
        }),
      ),
    )
    .onDuplicateKeyUpdate({
      set: {
        name: sql`VALUES(name)`,
        token: sql`VALUES(token)`,
        state: sql`VALUES(state)`,
        undoOrder: sql`VALUES(undo_order)`,
        opId: sql`VALUES(op_id)`,
        epoch: sql`VALUES(epoch)`,
        updatedAt: sql`VALUES(updated_at)`,
      },
    });
}

/**
 * Notes what an agent saw on the target, for a job whose row is gone (its backup was deleted): the truth about a
 * resource counts whatever became of the job. Returns false when the ledger has no such row.
 */
export const noteLedger = query(
  'note ledger',
  async (
    session,
    params: Pick<LedgerEntry, 'jobId' | 'stepKey' | 'resourceKey' | 'state'> & {
      /** null keeps what is stored. */
      readonly token: unknown;
      readonly nowMs: number;
    },
  ): Promise<boolean> => {
    const { jobId, stepKey, resourceKey, state, token, nowMs } = params;
    const [result] = await session.orm
      .update(ledger)
      .set({ state, updatedAt: new Date(nowMs), ...(token === null ? {} : { token }) })
      .where(and(eq(ledger.jobId, jobId), eq(ledger.stepKey, stepKey), eq(ledger.resourceKey, resourceKey)));
    return result.affectedRows > 0;
  },
);

/** All ledger rows of a job, whether the job's row still exists or not. */
export const readLedger = query(
  'read ledger',
  async (session, jobId: string): Promise<readonly LedgerEntry[]> => {
    const rows = await session.orm
      .select()
      .from(ledger)
      .where(eq(ledger.jobId, jobId))
      .orderBy(asc(ledger.undoOrder), asc(ledger.stepKey), asc(ledger.resourceKey));
    return rows.map(toLedgerEntry);
  },
);

/** Resources that exist or may exist on a target although their job's row is gone. */
export const listOrphanedLedger = query(
  'list orphaned ledger',
  async (session): Promise<readonly LedgerEntry[]> => {
    const rows = await session.orm
      .select({ entry: ledger })
      .from(ledger)
      .leftJoin(restoreJobs, eq(restoreJobs.id, ledger.jobId))
      .where(and(isNull(restoreJobs.id), inArray(ledger.state, ['intended', 'present', 'deleting'])))
      .orderBy(asc(ledger.jobId), asc(ledger.undoOrder));
    return rows.map((row) => toLedgerEntry(row.entry));
  },
);
