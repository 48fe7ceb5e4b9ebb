import { createHash } from 'node:crypto';
import { AppError } from '@ascend/errors';
import { asc, desc, eq, gt } from 'drizzle-orm';
import { query } from '../database.ts';
import { audit, auditHead } from '../schema/index.ts';
import { runTransaction } from '../session.ts';

/** What is written down of a call. */
export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** Never a secret. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** A written row of the trail. */
export interface AuditRow extends AuditEntry {
  readonly seq: number;
  readonly at: Date;
  readonly prevHash: string;
  readonly hash: string;
}

const headId = 1;
/** Rows that are in memory at once while the trail is checked. */
const pageSize = 1000;

// Servers may give the keys of a JSON object back in another order than they were written in.
function hashOf(row: Omit<AuditRow, 'hash'>): string {
  const details = Object.entries(row.details).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const parts = [row.seq, row.at.toISOString(), row.actor, row.action, row.subject, details, row.prevHash];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Adds a row to the trail and returns its number. Rows are never changed or removed by this product. */
export const appendAudit = query(
  'append audit',
  async (session, entry: AuditEntry, nowMs: number): Promise<number> =>
    runTransaction(session, async (tx) => {
      const [head] = await tx.orm.select().from(auditHead).where(eq(auditHead.id, headId)).for('update');
      if (head === undefined) {
        throw new AppError({ code: 'STORE_AUDIT_BROKEN', message: 'append audit: the head row is missing' });
      }
      const row = {
        seq: head.seq + 1,
        at: new Date(nowMs),
        actor: entry.actor.slice(0, 255),
        action: entry.action.slice(0, 512),
        subject: entry.subject.slice(0, 512),
        details: entry.details,
        prevHash: head.hash,
      };
      const hash = hashOf(row);
      await tx.orm.insert(audit).values({ ...row, hash });
      await tx.orm.update(auditHead).set({ seq: row.seq, hash }).where(eq(auditHead.id, headId));
      return row.seq;
    }),
);

/** The newest rows of the trail, newest first. Default limit 100. */
export const listAudit = query(
  'list audit',
  async (session, params: { readonly limit?: number } = {}): Promise<readonly AuditRow[]> => {
    const limit = params.limit ?? 100;
    return session.orm.select().from(audit).orderBy(desc(audit.seq)).limit(limit);
  },
);

function broken(seq: number, problem: string): AppError {
  return new AppError({
    code: 'STORE_AUDIT_BROKEN',
    message: `check audit trail: row ${seq} ${problem}`,
    details: { seq },
  });
}

/**
 * Checks that no row of the trail was changed, removed or put in between, and returns how many rows there are.
 *
 * @throws {AppError} STORE_AUDIT_BROKEN - details: seq of the first row that is wrong
 */
export const verifyAudit = query('check audit trail', async (session): Promise<number> => {
  let seq = 0;
  let hash = '0'.repeat(64);
  for (;;) {
    const rows = await session.orm
      .select()
      .from(audit)
      .where(gt(audit.seq, seq))
      .orderBy(asc(audit.seq))
      .limit(pageSize);
    for (const row of rows) {
      if (row.seq !== seq + 1) throw broken(seq + 1, 'is missing');
      if (row.prevHash !== hash) throw broken(row.seq, 'does not follow the row before it');
      if (hashOf(row) !== row.hash) {
        throw broken(row.seq, 'was changed');
      }
      seq = row.seq;
      hash = row.hash;
    }
    if (rows.length < pageSize) break;
  }
  const [head] = await session.orm.select().from(auditHead).where(eq(auditHead.id, headId));
  // A row appended since the last page was read lies behind what was checked; a cut tail lies before it.
  if (head === undefined || head.seq < seq || (head.seq === seq && head.hash !== hash)) {
    throw broken(seq, 'is not what the head says');
  }
  if (head.seq > seq) {
    const [next] = await session.orm
      .select({ seq: audit.seq })
      .from(audit)
      .where(eq(audit.seq, seq + 1));
    if (next === undefined) throw broken(seq + 1, 'is missing');
  }
  return seq;
});
