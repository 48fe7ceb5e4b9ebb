import type {
  BackupDiskStatus,
  BackupStatus,
  BackupType,
  SourceFormat,
  SourcePlatform,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { and, asc, desc, eq, inArray, sql, type SQL } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { backupDisks, backupJobs, backupVmSpecs, vmBackupContexts } from '../schema/index.ts';

/** One disk of a backup as the catalogue has it. */
export interface BackupDiskRow {
  /** Row id: what a mount refers to. */
  readonly id: number;
  readonly diskIndex: number;
  readonly vmwareDiskKey: number | null;
  readonly sizeGb: number | null;
  readonly qcow2Path: string | null;
  readonly status: BackupDiskStatus;
  readonly sourceFormat: SourceFormat;
  /** Reference of a disk that is no file, e.g. a snapshot id. */
  readonly sourceRef: string | null;
  /** Size of the file; for rows without it the bytes that the backup transferred. */
  readonly sizeBytes: number | null;
}

/** One backup with its disks in `diskIndex` order. */
export interface BackupRow {
  readonly id: string;
  /** Empty when the row belongs to no VM context. */
  readonly contextId: string;
  readonly vmName: string;
  readonly repositoryId: string | null;
  readonly backupType: BackupType;
  readonly status: BackupStatus;
  readonly createdAt: Date | null;
  readonly completedAt: Date | null;
  readonly errorMessage: string | null;
  readonly sourcePlatform: SourcePlatform;
  readonly hasVmSpec: boolean;
  readonly disks: readonly BackupDiskRow[];
}

/** Which backups to list. */
export interface BackupFilter {
  readonly vmName?: string;
  readonly status?: BackupStatus;
  readonly repositoryId?: string;
  /** Default 1000. */
  readonly limit?: number;
}

const diskColumns = {
  id: backupDisks.id,
  diskIndex: backupDisks.diskIndex,
  vmwareDiskKey: backupDisks.vmwareDiskKey,
  sizeGb: backupDisks.sizeGb,
  qcow2Path: backupDisks.qcow2Path,
  status: backupDisks.status,
  sourceFormat: backupDisks.sourceFormat,
  sourceRef: backupDisks.sourceRef,
  sizeBytes: sql<number | null>`COALESCE(${backupDisks.fileSizeBytes}, ${backupDisks.bytesTransferred})`,
};

async function selectBackups(
  session: Session,
  where: SQL | undefined,
  limit: number,
): Promise<readonly BackupRow[]> {
  const rows = await session.orm
    .select({
      job: backupJobs,
      context: {
        repositoryId: vmBackupContexts.repositoryId,
        sourcePlatform: vmBackupContexts.sourcePlatform,
      },
      spec: { sourcePlatform: backupVmSpecs.sourcePlatform },
    })
    .from(backupJobs)
    .leftJoin(vmBackupContexts, eq(vmBackupContexts.contextId, backupJobs.vmBackupContextId))
    .leftJoin(backupVmSpecs, eq(backupVmSpecs.backupId, backupJobs.id))
    .where(where)
    .orderBy(desc(backupJobs.createdAt), desc(backupJobs.id))
    .limit(limit);
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.job.id);
  const disks = await session.orm
    .select({ backupJobId: backupDisks.backupJobId, disk: diskColumns })
    .from(backupDisks)
    .where(inArray(backupDisks.backupJobId, ids))
    .orderBy(asc(backupDisks.diskIndex));
  const byJob = Map.groupBy(disks, (row) => row.backupJobId);
  return rows.map(({ job, context, spec }) => ({
    id: job.id,
    contextId: job.vmBackupContextId ?? '',
    vmName: job.vmName,
    repositoryId: job.repositoryId ?? context?.repositoryId ?? null,
    backupType: job.backupType,
    status: job.status,
    createdAt: job.createdAt,
    completedAt: job.completedAt,
    errorMessage: job.errorMessage,
    sourcePlatform: spec?.sourcePlatform ?? context?.sourcePlatform ?? 'unknown',
    hasVmSpec: spec !== null,
    disks: (byJob.get(job.id) ?? []).map((row) => row.disk),
  }));
}

/** Backups that match, newest first. */
export const listBackups = query('list backups', async (session, filter: BackupFilter = {}) =>
  selectBackups(
    session,
    and(
      filter.vmName === undefined ? undefined : eq(backupJobs.vmName, filter.vmName),
      filter.status === undefined ? undefined : eq(backupJobs.status, filter.status),
      filter.repositoryId === undefined ? undefined : eq(backupJobs.repositoryId, filter.repositoryId),
    ),
    filter.limit ?? 1000,
  ),
);

/** @throws {AppError} CATALOG_BACKUP_UNKNOWN */
export function backupUnknown(backupId: string, operation: string): AppError {
  return new AppError({
    code: 'CATALOG_BACKUP_UNKNOWN',
    message: `${operation}: no backup ${JSON.stringify(backupId)} in the catalogue`,
    details: { backupId },
  });
}

/**
 * One backup with its disks.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN
 */
export const getBackup = query('get backup', async (session, backupId: string): Promise<BackupRow> => {
  const [row] = await selectBackups(session, eq(backupJobs.id, backupId), 1);
  if (row === undefined) throw backupUnknown(backupId, 'get backup');
  return row;
});

/**
 * The disks of one backup in `diskIndex` order.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN
 */
export const listDisks = query(
  'list disks',
  async (session, backupId: string): Promise<readonly BackupDiskRow[]> =>
    (await getBackup(session, backupId)).disks,
);

/**
 * One disk of a completed backup: what is mounted for browsing.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN, CATALOG_DISK_UNKNOWN, CATALOG_BACKUP_NOT_COMPLETED, CATALOG_DISK_NOT_COMPLETED
 */
export const getDisk = query(
  'get disk',
  async (session, backupId: string, diskIndex: number): Promise<BackupDiskRow> => {
    const backup = await getBackup(session, backupId);
    const disk = backup.disks.find((one) => one.diskIndex === diskIndex);
    const details = { backupId, diskIndex, diskIndexes: backup.disks.map((one) => String(one.diskIndex)) };
    const where = `get disk ${diskIndex} of backup ${backupId}`;
    if (disk === undefined) {
      const message = `${where}: it has ${backup.disks.length} disks and none with this index`;
      throw new AppError({ code: 'CATALOG_DISK_UNKNOWN', message, details });
    }
    if (backup.status !== 'completed') {
      const message = `${where}: the backup is ${backup.status}`;
      throw new AppError({ code: 'CATALOG_BACKUP_NOT_COMPLETED', message, details });
    }
    if (disk.status !== 'completed') {
      const message = `${where}: the disk is ${disk.status}`;
      throw new AppError({ code: 'CATALOG_DISK_NOT_COMPLETED', message, details });
    }
    return disk;
  },
);
