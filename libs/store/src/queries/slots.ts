import { and, eq, inArray } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { concurrencySlots } from '../schema/index.ts';
import { runTransaction } from '../session.ts';

/** A resource that only so many may use at once (D17). */
export interface SlotKey {
  readonly key: string;
  /** Holders at once; 1 = exclusive. */
  readonly limit: number;
}

/** Who wants places. */
export interface SlotParams {
  /** Op id; or the job's id for what is held from its start to its end. */
  readonly holder: string;
  readonly jobId: string;
  readonly keys: readonly SlotKey[];
  readonly nowMs: number;
}

type Row = typeof concurrencySlots.$inferSelect;

function freeSlot(taken: readonly Row[], limit: number): number | null {
  const used = new Set(taken.map((row) => row.slot));
  for (let slot = 0; slot < limit; slot += 1) if (!used.has(slot)) return slot;
  return null;
}

/** True when the holder has a place of this key afterwards. The primary key is what keeps two from having the same. */
async function takeOne(tx: Session, params: SlotParams, { key, limit }: SlotKey): Promise<boolean> {
  for (;;) {
    const taken = await tx.orm
      .select()
      .from(concurrencySlots)
      .where(eq(concurrencySlots.concurrencyKey, key));
    if (taken.some((row) => row.holder === params.holder)) return true;
    const slot = freeSlot(taken, limit);
    if (slot === null) return false;
    try {
      const { holder, jobId, nowMs } = params;
      await tx.orm
        .insert(concurrencySlots)
        .values({ concurrencyKey: key, slot, holder, jobId, acquiredAt: new Date(nowMs) });
      return true;
    } catch (error) {
      // Another transaction has just taken this number: look again.
      if (!isServerError(error, 'duplicateKey')) throw error;
    }
  }
}

/**
 * Takes a place of every key, or no new one of any: returns the key that is full, or null when all were taken. Taking
 * again what one holds is no second place.
 */
export const takeSlots = query('take slots', async (session, params: SlotParams): Promise<string | null> =>
  runTransaction(session, async (tx) => {
    const before = await tx.orm
      .select({ key: concurrencySlots.concurrencyKey })
      .from(concurrencySlots)
      .where(eq(concurrencySlots.holder, params.holder));
    const held = new Set(before.map((row) => row.key));
    // One order for all: two that want the same keys cannot each hold what the other waits for.
    const keys = params.keys.toSorted((a, b) => a.key.localeCompare(b.key));
    for (const key of keys) {
      if (await takeOne(tx, params, key)) continue;
      const fresh = keys.map((one) => one.key).filter((one) => !held.has(one));
      const mine = eq(concurrencySlots.holder, params.holder);
      await tx.orm.delete(concurrencySlots).where(and(mine, inArray(concurrencySlots.concurrencyKey, fresh)));
      return key.key;
    }
    return null;
  }),
);

/** Gives back all places of these holders. Idempotent. */
export const releaseSlots = query(
  'release slots',
  async (session, holders: readonly string[]): Promise<void> => {
    if (holders.length === 0) return;
    await session.orm.delete(concurrencySlots).where(inArray(concurrencySlots.holder, [...holders]));
  },
);

/** Gives back everything a job and its operations hold. Idempotent. */
export const releaseJobSlots = query('release job slots', async (session, jobId: string): Promise<void> => {
  await session.orm.delete(concurrencySlots).where(eq(concurrencySlots.jobId, jobId));
});

/** Who holds what, by key. */
export const listSlots = query('list slots', async (session): Promise<readonly Row[]> =>
  session.orm.select().from(concurrencySlots).orderBy(concurrencySlots.concurrencyKey, concurrencySlots.slot),
);
