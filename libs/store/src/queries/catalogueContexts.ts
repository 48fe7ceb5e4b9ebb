import { AppError } from '@ascend/errors';
import { and, asc, eq } from 'drizzle-orm';
import type { Session } from '../database.ts';
import {
  backupChains,
  backupDisks,
  backupJobs,
  backupRepositories,
  vmBackupContexts,
} from '../schema/index.ts';
import { chainIdOf, idInRepository } from './catalogueIds.ts';

/** A VM context row. */
export type ContextRow = typeof vmBackupContexts.$inferSelect;

/** @throws {AppError} CATALOG_REPOSITORY_UNKNOWN */
export async function requireRepository(
  session: Session,
  repositoryId: string,
  operation: string,
): Promise<void> {
  const [row] = await session.orm
    .select({ id: backupRepositories.id })
    .from(backupRepositories)
    .where(eq(backupRepositories.id, repositoryId));
  if (row === undefined) {
    throw new AppError({
      code: 'CATALOG_REPOSITORY_UNKNOWN',
      message: `${operation}: no repository ${JSON.stringify(repositoryId)}`,
      details: { repositoryId },
    });
  }
}

/** The context of a VM in a repository, made under `wantedId` when there is none. A context that exists is not changed. */
export async function ensureContext(
  tx: Session,
  params: {
    readonly vmName: string;
    readonly repositoryId: string;
    readonly wantedId: string;
    readonly provenance: 'scan' | 'added';
  },
): Promise<ContextRow> {
  const { vmName, repositoryId, provenance } = params;
  const find = async (): Promise<ContextRow | undefined> => {
    const [row] = await tx.orm
      .select()
      .from(vmBackupContexts)
      .where(and(eq(vmBackupContexts.vmName, vmName), eq(vmBackupContexts.repositoryId, repositoryId)))
      .for('update');
    return row;
  };
  const existing = await find();
  if (existing !== undefined) return existing;
  const [taken] = await tx.orm
    .select({ contextId: vmBackupContexts.contextId })
    .from(vmBackupContexts)
    .where(eq(vmBackupContexts.contextId, params.wantedId));
  const contextId = taken === undefined ? params.wantedId : idInRepository(params.wantedId, repositoryId);
  await tx.orm.insert(vmBackupContexts).values({ contextId, vmName, repositoryId, provenance });
  const made = await find();
  if (made === undefined) {
    throw new AppError({ code: 'INTERNAL_BUG', message: `make context ${contextId}: not found again` });
  }
  return made;
}

/** Counts, last backup and chains of a context anew from its backups. Only for contexts whose rows are ours to write. */
export async function refreshContext(tx: Session, contextId: string): Promise<void> {
  const rows = await tx.orm
    .select({ job: backupJobs, disk: backupDisks })
    .from(backupJobs)
    .leftJoin(backupDisks, eq(backupDisks.backupJobId, backupJobs.id))
    .where(eq(backupJobs.vmBackupContextId, contextId))
    .orderBy(asc(backupJobs.createdAt), asc(backupJobs.id));
  const jobs = [...new Map(rows.map((row) => [row.job.id, row.job])).values()];
  const completed = jobs.filter((job) => job.status === 'completed');
  const last = completed.at(-1);
  await tx.orm
    .update(vmBackupContexts)
    .set({
      totalBackupsRun: jobs.length,
      successfulBackups: completed.length,
      lastBackupId: last?.id ?? null,
      lastBackupType: last === undefined || last.backupType === 'differential' ? null : last.backupType,
      lastBackupAt: last?.createdAt ?? null,
    })
    .where(eq(vmBackupContexts.contextId, contextId));
  const done = rows.filter((row) => row.job.status === 'completed' && row.disk !== null);
  for (const [diskIndex, images] of Map.groupBy(done, (row) => row.disk?.diskIndex ?? 0)) {
    const fullAt = images.findLastIndex((row) => row.job.backupType === 'full');
    const chain = images.slice(Math.max(0, fullAt));
    const sizes = chain.map((row) => row.disk?.fileSizeBytes ?? row.disk?.bytesTransferred ?? 0);
    const values = {
      fullBackupId: fullAt === -1 ? null : (chain[0]?.job.id ?? null),
      latestBackupId: chain.at(-1)?.job.id ?? null,
      totalBackups: chain.length,
      totalSizeBytes: sizes.reduce((sum, size) => sum + size, 0),
    };
    await tx.orm
      .insert(backupChains)
      .values({ id: chainIdOf(contextId, diskIndex), vmContextId: contextId, diskId: diskIndex, ...values })
      .onDuplicateKeyUpdate({ set: values });
  }
}
