import type { RestorePoint } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { query } from '../database.ts';
import { getBackup } from './backups.ts';

/**
 * A backup as a restore point, whatever its state: the planner turns obstacles into findings.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN
 * @throws {AppError} CATALOG_REPOSITORY_UNKNOWN - neither the backup nor its VM names a repository
 * @throws {AppError} CATALOG_DISKS_MISSING - a disk names neither file nor reference
 */
export const readRestorePoint = query(
  'read restore point',
  async (session, backupId: string): Promise<RestorePoint> => {
    const row = await getBackup(session, backupId);
    if (row.repositoryId === null) {
      throw new AppError({
        code: 'CATALOG_REPOSITORY_UNKNOWN',
        message: `read restore point ${backupId}: neither the backup nor its VM ${JSON.stringify(row.vmName)} names a repository`,
        details: { backupId },
      });
    }
    return {
      backupId: row.id,
      contextId: row.contextId,
      vmName: row.vmName,
      repositoryId: row.repositoryId,
      backupType: row.backupType,
      status: row.status,
      sourcePlatform: row.sourcePlatform,
      createdAt: row.createdAt === null ? null : row.createdAt.toISOString().replace('.000Z', 'Z'),
      disks: row.disks.map((disk) => {
        const path = disk.qcow2Path ?? disk.sourceRef;
        if (path === null || path === '') {
          throw new AppError({
            code: 'CATALOG_DISKS_MISSING',
            message: `read restore point ${backupId}: disk ${disk.diskIndex} names neither file nor reference`,
            details: { backupId, diskIndex: disk.diskIndex },
          });
        }
        const { diskIndex, vmwareDiskKey, sizeGb, sourceFormat, status } = disk;
        return { diskIndex, vmwareDiskKey, sizeGb, path, format: sourceFormat, status };
      }),
    };
  },
);

/** Why a restore point cannot be restored, worst first; null when it can. Pure. */
export function restorePointObstacle(point: RestorePoint): AppError | null {
  const where = `use restore point ${point.backupId}`;
  const details = { backupId: point.backupId, vmName: point.vmName };
  if (point.status !== 'completed') {
    const message = `${where}: the backup is ${point.status}, not completed`;
    return new AppError({
      code: 'CATALOG_BACKUP_NOT_COMPLETED',
      message,
      details: { ...details, status: point.status },
    });
  }
  if (point.backupType === 'differential') {
    return new AppError({
      code: 'CATALOG_BACKUP_DIFFERENTIAL',
      message: `${where}: it is a differential`,
      details,
    });
  }
  if (point.disks.length === 0) {
    const message = `${where}: the catalogue lists no disks for it`;
    return new AppError({ code: 'CATALOG_DISKS_MISSING', message, details });
  }
  const unfinished = point.disks.find((disk) => disk.status !== 'completed');
  if (unfinished !== undefined) {
    const { diskIndex, status } = unfinished;
    const message = `${where}: disk ${diskIndex} is ${status}, not completed`;
    return new AppError({
      code: 'CATALOG_DISK_NOT_COMPLETED',
      message,
      details: { ...details, diskIndex, status },
    });
  }
  const gap = point.disks.findIndex((disk, index) => disk.diskIndex !== index);
  if (gap !== -1) {
    const found = point.disks.map((disk) => String(disk.diskIndex));
    const message = `${where}: disk ${gap} is missing (found ${found.join(', ')})`;
    return new AppError({
      code: 'CATALOG_DISK_GAP',
      message,
      details: { ...details, diskIndex: gap, diskIndexes: found },
    });
  }
  return null;
}

/**
 * A backup as a restore point that can be restored.
 *
 * @throws {AppError} CATALOG_BACKUP_UNKNOWN, CATALOG_REPOSITORY_UNKNOWN, CATALOG_BACKUP_NOT_COMPLETED,
 *   CATALOG_BACKUP_DIFFERENTIAL, CATALOG_DISKS_MISSING, CATALOG_DISK_NOT_COMPLETED, CATALOG_DISK_GAP
 */
export const restorePoint = query(
  'read restore point',
  async (session, backupId: string): Promise<RestorePoint> => {
    const point = await readRestorePoint(session, backupId);
    const obstacle = restorePointObstacle(point);
    if (obstacle !== null) throw obstacle;
    return point;
  },
);
