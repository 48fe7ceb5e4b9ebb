import type { PlatformId, TargetFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { asc, eq, notInArray, and } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { restoreJobs, targetAgents, targetFacts, targets } from '../schema/index.ts';
import { endStates } from './jobRows.ts';
import { runTransaction } from '../session.ts';

/** A configured platform endpoint; its secrets are sealed by the caller. */
export interface TargetRow {
  readonly targetId: string;
  readonly name: string;
  readonly platform: PlatformId;
  /** Never a secret. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** Opaque here; null when the target needs none. */
  readonly sealedCredentials: string | null;
  readonly secretNames: readonly string[];
  /** In order of preference. */
  readonly agentIds: readonly string[];
  readonly createdAt: Date;
}

async function selectTargets(session: Session, targetId?: string): Promise<readonly TargetRow[]> {
  const rows = await session.orm
    .select()
    .from(targets)
    .where(targetId === undefined ? undefined : eq(targets.id, targetId))
    .orderBy(asc(targets.id));
  const served = Map.groupBy(
    await session.orm
      .select()
      .from(targetAgents)
      .where(targetId === undefined ? undefined : eq(targetAgents.targetId, targetId))
      .orderBy(asc(targetAgents.preference), asc(targetAgents.agentId)),
    (row) => row.targetId,
  );
  return rows.map((row) => ({
    targetId: row.id,
    name: row.name,
    platform: row.platform,
    connection: row.connection,
    sealedCredentials: row.sealedCredentials,
    secretNames: row.secretNames,
    agentIds: (served.get(row.id) ?? []).map((one) => one.agentId),
    createdAt: row.createdAt,
  }));
}

function targetUnknown(targetId: string, operation: string): AppError {
  return new AppError({
    code: 'STORE_TARGET_UNKNOWN',
    message: `${operation}: no target ${JSON.stringify(targetId)}`,
    details: { targetId },
  });
}

/** All targets by id. */
export const listTargets = query('list targets', async (session) => selectTargets(session));

/**
 * One target.
 *
 * @throws {AppError} STORE_TARGET_UNKNOWN
 */
export const getTarget = query('get target', async (session, targetId: string): Promise<TargetRow> => {
  const [row] = await selectTargets(session, targetId);
  if (row === undefined) throw targetUnknown(targetId, 'get target');
  return row;
});

/**
 * Makes a target, or replaces all of it but its platform. Cached facts of an older connection are dropped.
 *
 * @throws {AppError} STORE_NAME_TAKEN - another target has this name
 */
export const putTarget = query(
  'put target',
  async (session, target: Omit<TargetRow, 'createdAt'>, nowMs: number): Promise<void> =>
    runTransaction(session, async (tx) => {
      const { targetId, platform, agentIds, ...values } = target;
      const updatedAt = new Date(nowMs);
      const [same] = await tx.orm
        .select({ id: targets.id })
        .from(targets)
        .where(eq(targets.name, target.name))
        .for('update');
      if (same !== undefined && same.id !== targetId) {
        throw new AppError({
          code: 'STORE_NAME_TAKEN',
          message: `put target ${targetId}: the name ${JSON.stringify(target.name)} belongs to ${same.id}`,
          details: { targetId, holder: same.id },
        });
      }
      await tx.orm
        .insert(targets)
        .values({ id: targetId, platform, ...values, createdAt: updatedAt, updatedAt })
        .onDuplicateKeyUpdate({ set: { ...values, updatedAt } });
      await tx.orm.delete(targetFacts).where(eq(targetFacts.targetId, targetId));
      await tx.orm.delete(targetAgents).where(eq(targetAgents.targetId, targetId));
      if (agentIds.length === 0) return;
      await tx.orm
        .insert(targetAgents)
        .values([...new Set(agentIds)].map((agentId, preference) => ({ targetId, agentId, preference })));
    }),
);

/**
 * Removes a target that no running restore uses. Its ledger rows stay.
 *
 * @throws {AppError} STORE_TARGET_UNKNOWN, STORE_TARGET_IN_USE
 */
export const removeTarget = query('remove target', async (session, targetId: string): Promise<void> =>
  runTransaction(session, async (tx) => {
    const [user] = await tx.orm
      .select({ id: restoreJobs.id })
      .from(restoreJobs)
      .where(and(eq(restoreJobs.targetId, targetId), notInArray(restoreJobs.state, [...endStates])))
      .limit(1);
    if (user !== undefined) {
      throw new AppError({
        code: 'STORE_TARGET_IN_USE',
        message: `remove target ${targetId}: restore ${user.id} uses it`,
        details: { targetId, jobId: user.id },
      });
    }
    const [result] = await tx.orm.delete(targets).where(eq(targets.id, targetId));
    if (result.affectedRows === 0) throw targetUnknown(targetId, 'remove target');
  }),
);

/** The cached inventory of a target; null when there is none. How old it may be is the caller's matter. */
export const readTargetFacts = query(
  'read target facts',
  async (session, targetId: string): Promise<TargetFacts | null> => {
    const [row] = await session.orm
      .select({ facts: targetFacts.facts })
      .from(targetFacts)
      .where(eq(targetFacts.targetId, targetId));
    return row?.facts ?? null;
  },
);

/**
 * Caches the inventory of a target in place of an older one.
 *
 * @throws {AppError} STORE_TARGET_UNKNOWN - removed meanwhile
 */
export const writeTargetFacts = query(
  'write target facts',
  async (session, facts: TargetFacts, agentId: string): Promise<void> => {
    const { targetId } = facts;
    const values = { facts, agentId, fetchedAt: new Date(facts.fetchedAt) };
    try {
      await session.orm
        .insert(targetFacts)
        .values({ targetId, ...values })
        .onDuplicateKeyUpdate({ set: values });
    } catch (error) {
      throw isServerError(error, 'parentMissing') ? targetUnknown(targetId, 'write target facts') : error;
    }
  },
);
