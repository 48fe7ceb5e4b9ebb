import { and, eq, gt, lt, or, sql } from 'drizzle-orm';
import { query } from '../database.ts';
import { leases } from '../schema/index.ts';
import { runTransaction } from '../session.ts';

/** A right to do something alone for a while. */
export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** Grows with each new holder: an older one is recognised by its smaller epoch. */
  readonly epoch: number;
}

const serverNow = sql`UTC_TIMESTAMP(3)`;
const serverIn = (ms: number) => sql`TIMESTAMPADD(MICROSECOND, ${ms * 1000}, UTC_TIMESTAMP(3))`;

/**
 * Takes or renews a lease for `ttlMs` on the database's clock. null: somebody else holds it. A holder that renews in
 * time keeps its epoch; after it ran out the epoch is a new one even for the same holder.
 */
export const takeLease = query(
  'take lease',
  async (
    session,
    params: { readonly name: string; readonly holder: string; readonly ttlMs: number },
  ): Promise<Lease | null> =>
    runTransaction(session, async (tx) => {
      const { name, holder, ttlMs } = params;
      await tx.orm
        .insert(leases)
        .values({ name, holder, epoch: 0, expiresAt: sql`TIMESTAMPADD(SECOND, -1, UTC_TIMESTAMP(3))` })
        .onDuplicateKeyUpdate({ set: { name: sql`${leases.name}` } });
      const mine = and(eq(leases.name, name), eq(leases.holder, holder), gt(leases.expiresAt, serverNow));
      const [renewed] = await tx.orm
        .update(leases)
        .set({ expiresAt: serverIn(ttlMs) })
        .where(mine);
      if (renewed.affectedRows === 0) {
        const [taken] = await tx.orm
          .update(leases)
          .set({ holder, epoch: sql`${leases.epoch} + 1`, expiresAt: serverIn(ttlMs) })
          .where(
            and(eq(leases.name, name), or(lt(leases.expiresAt, serverNow), eq(leases.expiresAt, serverNow))),
          );
        if (taken.affectedRows === 0) return null;
      }
      const [row] = await tx.orm.select({ epoch: leases.epoch }).from(leases).where(eq(leases.name, name));
      return { name, holder, epoch: row?.epoch ?? 0 };
    }),
);

/** Gives a lease back before its time. A lease that has another holder or epoch is left alone. */
export const releaseLease = query('release lease', async (session, lease: Lease): Promise<void> => {
  await session.orm
    .update(leases)
    .set({ expiresAt: serverNow })
    .where(and(eq(leases.name, lease.name), eq(leases.holder, lease.holder), eq(leases.epoch, lease.epoch)));
});
