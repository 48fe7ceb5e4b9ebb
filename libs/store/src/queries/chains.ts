import type { BackupType } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { and, asc, eq } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { backupChains, backupDisks, backupJobs, vmBackupContexts } from '../schema/index.ts';
import { getBackup } from './backups.ts';
import { chainIdOf } from './catalogueIds.ts';

/** Which chain is asked for. Either `vmName` or `backupId` is needed. */
export interface ChainParams {
  readonly vmName?: string;
  /** Default 0. */
  readonly diskIndex?: number;
  readonly repositoryId?: string;
  /** The chain that this backup belongs to, instead of the newest one. */
  readonly backupId?: string;
}

/** One image of a chain with the restore point it belongs to. */
export interface ChainImage {
  readonly backupId: string;
  readonly backupType: BackupType;
  readonly qcow2Path: string | null;
  readonly sizeBytes: number;
}

/** One disk's chain: the full first, then what was taken on top of it, in time order. */
export interface Chain {
  readonly chainId: string;
  readonly contextId: string;
  readonly vmName: string;
  readonly diskIndex: number;
  /** Empty when the disk has no completed backup. */
  readonly images: readonly ChainImage[];
}

type Context = Pick<typeof vmBackupContexts.$inferSelect, 'contextId' | 'vmName' | 'repositoryId'>;

async function contextByName(session: Session, params: ChainParams): Promise<Context> {
  const { vmName, repositoryId } = params;
  if (vmName === undefined) {
    throw new AppError({ code: 'INPUT_INVALID', message: 'find chain: vm_name or backup_id is needed' });
  }
  const found = await session.orm
    .select()
    .from(vmBackupContexts)
    .where(
      and(
        eq(vmBackupContexts.vmName, vmName),
        repositoryId === undefined ? undefined : eq(vmBackupContexts.repositoryId, repositoryId),
      ),
    )
    .orderBy(asc(vmBackupContexts.repositoryId));
  const [context] = found;
  if (context === undefined) {
    const where = repositoryId === undefined ? '' : ` in repository ${repositoryId}`;
    throw new AppError({
      code: 'CATALOG_VM_UNKNOWN',
      message: `find chain: no VM named ${JSON.stringify(vmName)}${where}`,
      details: { vmName, repositoryId: repositoryId ?? null },
    });
  }
  if (found.length > 1) {
    throw new AppError({
      code: 'CATALOG_VM_AMBIGUOUS',
      message: `find chain: ${found.length} VMs are named ${JSON.stringify(vmName)}`,
      details: {
        vmName,
        candidates: found.map((one) => `${one.repositoryId ?? 'no repository'}: ${one.contextId}`),
        repositoryIds: found.map((one) => one.repositoryId ?? ''),
        contextIds: found.map((one) => one.contextId),
      },
    });
  }
  return context;
}

async function contextOf(session: Session, params: ChainParams): Promise<Context> {
  if (params.backupId === undefined) return contextByName(session, params);
  const backup = await getBackup(session, params.backupId);
  const isOther =
    (params.vmName !== undefined && params.vmName !== backup.vmName) ||
    (params.repositoryId !== undefined && params.repositoryId !== backup.repositoryId);
  if (isOther) {
    throw new AppError({
      code: 'CATALOG_BACKUP_UNKNOWN',
      message: `find chain: backup ${backup.id} belongs to ${JSON.stringify(backup.vmName)} in repository ${backup.repositoryId ?? 'none'}, not to what was asked for`,
      details: { backupId: backup.id, vmName: backup.vmName },
    });
  }
  if (backup.status !== 'completed') {
    throw new AppError({
      code: 'CATALOG_BACKUP_NOT_COMPLETED',
      message: `find chain: backup ${backup.id} is ${backup.status}`,
      details: { backupId: backup.id },
    });
  }
  return { contextId: backup.contextId, vmName: backup.vmName, repositoryId: backup.repositoryId };
}

/** Cuts a disk's images into chains: each full begins one. Incrementals before any full stand alone. */
function chainsOf(images: readonly ChainImage[]): readonly ChainImage[][] {
  const chains: ChainImage[][] = [];
  for (const image of images) {
    const last = chains.at(-1);
    if (last === undefined || image.backupType === 'full') chains.push([image]);
    else last.push(image);
  }
  return chains;
}

/**
 * The newest chain of a VM's disk, or the one a given backup belongs to. Only completed backups and disks are in it.
 *
 * @throws {AppError} INPUT_INVALID - neither name nor backup given
 * @throws {AppError} CATALOG_VM_UNKNOWN, CATALOG_VM_AMBIGUOUS (details: candidates), CATALOG_BACKUP_UNKNOWN,
 *   CATALOG_BACKUP_NOT_COMPLETED, CATALOG_DISK_UNKNOWN (details: diskIndexes)
 */
export const chainOf = query('find chain', async (session, params: ChainParams): Promise<Chain> => {
  const context = await contextOf(session, params);
  const diskIndex = params.diskIndex ?? 0;
  const rows = await session.orm
    .select({ job: backupJobs, disk: backupDisks })
    .from(backupDisks)
    .innerJoin(backupJobs, eq(backupJobs.id, backupDisks.backupJobId))
    .where(eq(backupJobs.vmBackupContextId, context.contextId))
    .orderBy(asc(backupJobs.createdAt), asc(backupJobs.id));
  const indexes = [...new Set(rows.map((row) => row.disk.diskIndex))].toSorted((a, b) => a - b);
  if (indexes.length > 0 && !indexes.includes(diskIndex)) {
    throw new AppError({
      code: 'CATALOG_DISK_UNKNOWN',
      message: `find chain: ${JSON.stringify(context.vmName)} has no disk ${diskIndex}, it has ${indexes.join(', ')}`,
      details: { vmName: context.vmName, diskIndex, diskIndexes: indexes.map(String) },
    });
  }
  const images = rows
    .filter((row) => row.disk.diskIndex === diskIndex)
    .filter((row) => row.job.status === 'completed' && row.disk.status === 'completed')
    .map(({ job, disk }) => ({
      backupId: job.id,
      backupType: job.backupType,
      qcow2Path: disk.qcow2Path,
      sizeBytes: disk.fileSizeBytes ?? disk.bytesTransferred ?? 0,
    }));
  const chains = chainsOf(images);
  const chosen =
    params.backupId === undefined
      ? chains.at(-1)
      : chains.find((chain) => chain.some((image) => image.backupId === params.backupId));
  const [known] = await session.orm
    .select({ id: backupChains.id })
    .from(backupChains)
    .where(and(eq(backupChains.vmContextId, context.contextId), eq(backupChains.diskId, diskIndex)));
  return {
    chainId: known?.id ?? chainIdOf(context.contextId, diskIndex),
    contextId: context.contextId,
    vmName: context.vmName,
    diskIndex,
    images: chosen ?? [],
  };
});
