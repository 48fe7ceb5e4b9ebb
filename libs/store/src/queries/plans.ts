import type { RestorePlan } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { eq, lt, sql } from 'drizzle-orm';
import { query } from '../database.ts';
import { restorePlans } from '../schema/index.ts';

/** Keeps a computed plan under its id. A plan is immutable: storing one again changes nothing. */
export const putPlan = query(
  'put plan',
  async (session, plan: RestorePlan, createdBy: string): Promise<void> => {
    await session.orm
      .insert(restorePlans)
      .values({
        id: plan.planId,
        backupId: plan.backupId,
        targetId: plan.target.targetId,
        inputsHash: plan.inputsHash,
        plan,
        createdBy,
        createdAt: new Date(plan.createdAt),
      })
      .onDuplicateKeyUpdate({ set: { id: sql`${restorePlans.id}` } });
  },
);

/**
 * A stored plan.
 *
 * @throws {AppError} STORE_PLAN_UNKNOWN
 */
export const getPlan = query('get plan', async (session, planId: string): Promise<RestorePlan> => {
  const [row] = await session.orm
    .select({ plan: restorePlans.plan })
    .from(restorePlans)
    .where(eq(restorePlans.id, planId));
  if (row !== undefined) return row.plan;
  throw new AppError({
    code: 'STORE_PLAN_UNKNOWN',
    message: `get plan: no plan ${JSON.stringify(planId)}`,
    details: { planId },
  });
});

/** Forgets plans made before `beforeMs`; jobs carry their own copy. Returns how many. */
export const prunePlans = query('prune plans', async (session, beforeMs: number): Promise<number> => {
  const [result] = await session.orm
    .delete(restorePlans)
    .where(lt(restorePlans.createdAt, new Date(beforeMs)));
  return result.affectedRows;
});
