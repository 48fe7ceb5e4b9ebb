import { isDeepStrictEqual } from 'node:util';
import type { RestorePointFacts, SourcePlatform, VmSpec } from '@ascend/domain';
import { eq, inArray, sql } from 'drizzle-orm';
import { query } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { backupVmSpecs, restorePointFacts, specProvenances } from '../schema/index.ts';
import { backupUnknown } from './backups.ts';
import { runTransaction } from '../session.ts';

/** Who told a VM specification, weakest first: the guest's own files, a file beside the disks, the platform, an operator. */
export type SpecProvenance = (typeof specProvenances)[number];

/** A stored VM specification. */
export interface StoredVmSpec {
  readonly backupId: string;
  readonly spec: VmSpec;
  readonly sourcePlatform: SourcePlatform;
  readonly provenance: SpecProvenance;
}

function rank(provenance: SpecProvenance): number {
  return specProvenances.indexOf(provenance);
}

/** The specification of a backup's VM; null when nobody told one. */
export const getVmSpec = query(
  'get VM spec',
  async (session, backupId: string): Promise<StoredVmSpec | null> => {
    const [row] = await session.orm.select().from(backupVmSpecs).where(eq(backupVmSpecs.backupId, backupId));
    if (row === undefined) return null;
    return {
      backupId,
      spec: row.spec,
      sourcePlatform: row.sourcePlatform,
      provenance: row.provenance,
    };
  },
);

/**
 * Stores a specification. One that was told by a better source stays: returns false then.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN
 */
export const putVmSpec = query(
  'put VM spec',
  async (session, params: StoredVmSpec & { readonly nowMs: number }): Promise<boolean> =>
    runTransaction(session, async (tx) => {
      const { backupId, spec, sourcePlatform, provenance, nowMs } = params;
      const [stored] = await tx.orm
        .select({ provenance: backupVmSpecs.provenance })
        .from(backupVmSpecs)
        .where(eq(backupVmSpecs.backupId, backupId))
        .for('update');
      if (stored !== undefined && rank(stored.provenance) > rank(provenance)) return false;
      const values = { spec, sourcePlatform, provenance, updatedAt: new Date(nowMs) };
      try {
        await tx.orm
          .insert(backupVmSpecs)
          .values({ backupId, ...values })
          .onDuplicateKeyUpdate({ set: values });
      } catch (error) {
        throw isServerError(error, 'parentMissing') ? backupUnknown(backupId, 'put VM spec') : error;
      }
      return true;
    }),
);

/**
 * Stores what a sidecar tells as the specification of backups that exist; the caller holds a transaction. Repeating it
 * writes nothing; what a platform or an operator told stays, a later sidecar replaces an earlier one.
 */
export const putSidecarSpec = query(
  'put sidecar spec',
  async (
    tx,
    params: {
      readonly backupIds: readonly string[];
      readonly spec: VmSpec;
      /** Only for backups without a specification. */
      readonly sourcePlatform: SourcePlatform;
    },
  ): Promise<void> => {
    const { backupIds, spec, sourcePlatform } = params;
    if (backupIds.length === 0) return;
    const stored = await tx.orm
      .select()
      .from(backupVmSpecs)
      .where(inArray(backupVmSpecs.backupId, [...backupIds]))
      .for('update');
    const byId = new Map(stored.map((row) => [row.backupId, row]));
    const values = { spec, provenance: 'sidecar' as const, updatedAt: sql`CURRENT_TIMESTAMP(3)` };
    for (const backupId of backupIds) {
      const row = byId.get(backupId);
      if (row !== undefined && rank(row.provenance) > rank('sidecar')) continue;
      if (row?.provenance === 'sidecar' && isDeepStrictEqual(row.spec, spec)) continue;
      if (row !== undefined) {
        await tx.orm.update(backupVmSpecs).set(values).where(eq(backupVmSpecs.backupId, backupId));
        continue;
      }
      // A row that appeared since the look above was told by an operator just now, and stays.
      await tx.orm
        .insert(backupVmSpecs)
        .values({ backupId, sourcePlatform, ...values })
        .onDuplicateKeyUpdate({ set: { backupId: sql`${backupVmSpecs.backupId}` } });
    }
  },
);

/** The cached analysis of a backup; null when there is none. How old it may be is the caller's matter. */
export const readPointFacts = query(
  'read restore point facts',
  async (session, backupId: string): Promise<RestorePointFacts | null> => {
    const [row] = await session.orm
      .select({ facts: restorePointFacts.facts })
      .from(restorePointFacts)
      .where(eq(restorePointFacts.backupId, backupId));
    return row?.facts ?? null;
  },
);

/**
 * Caches the analysis of a backup in place of an older one.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN - deleted meanwhile
 */
export const writePointFacts = query(
  'write restore point facts',
  async (session, facts: RestorePointFacts, agentId: string): Promise<void> => {
    const { backupId, fingerprint } = facts;
    const values = { fingerprint, agentId, facts, analyzedAt: new Date(facts.analyzedAt) };
    try {
      await session.orm
        .insert(restorePointFacts)
        .values({ backupId, ...values })
        .onDuplicateKeyUpdate({ set: values });
    } catch (error) {
      if (!isServerError(error, 'parentMissing')) throw error;
      throw backupUnknown(backupId, 'write restore point facts');
    }
  },
);
