import { transaction, type Session } from '../database.ts';
import {
  backupChains,
  backupDisks,
  backupJobs,
  backupRepositories,
  vmBackupContexts,
} from '../schema/index.ts';

const repositoryId = 'repo-1';
const contextId = 'ctx-backup-pgtest1-20251006-203401';
const folder = '/mnt/sendense-backups/ctx-pgtest1-20251006-203401';

const points = [
  {
    id: 'backup-pgtest1-1759947871',
    stamp: '20251008-192431',
    type: 'full',
    sizes: [19_643_564_032, 101_711_872],
  },
  {
    id: 'backup-pgtest1-1759950471',
    stamp: '20251008-200751',
    type: 'incremental',
    sizes: [60_555_264, 101_711_872],
  },
  {
    id: 'backup-pgtest1-1759950838',
    stamp: '20251008-201358',
    type: 'incremental',
    sizes: [31_129_600, 101_711_872],
  },
  {
    id: 'backup-pgtest1-1759951063',
    stamp: '20251008-201743',
    type: 'incremental',
    sizes: [34_734_080, 101_711_872],
  },
] as const;

const disks = [
  { index: 0, key: 2000, sizeGb: 102 },
  { index: 1, key: 2001, sizeGb: 5 },
] as const;

/** The ids of the sample VM's rows. */
export const pgtest1 = {
  vmName: 'pgtest1',
  repositoryId,
  contextId,
  folder,
  fullId: points[0].id,
  incrementalIds: points.slice(1).map((point) => point.id),
} as const;

/** `20251008-192431` as a moment. */
function timeOf(stamp: string): Date {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/.exec(stamp) ?? [];
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Where disk `index` of the point taken at `stamp` was written, on the machine that took the backup. */
export function pgtest1Path(index: number, stamp: string): string {
  return `${folder}/disk-${index}/backup-pgtest1-disk${index}-${stamp}.qcow2`;
}

async function insertPoint(tx: Session, point: (typeof points)[number]): Promise<void> {
  const at = timeOf(point.stamp);
  await tx.orm.insert(backupJobs).values({
    id: point.id,
    vmBackupContextId: contextId,
    vmName: pgtest1.vmName,
    backupType: point.type,
    status: 'completed',
    repositoryId,
    createdAt: at,
    completedAt: at,
  });
  await tx.orm.insert(backupDisks).values(
    disks.map((disk) => ({
      vmBackupContextId: contextId,
      backupJobId: point.id,
      diskIndex: disk.index,
      vmwareDiskKey: disk.key,
      sizeGb: disk.sizeGb,
      unitNumber: disk.index,
      diskChangeId: `52 4c 5e 0b/${point.stamp}-${disk.index}`,
      qcow2Path: pgtest1Path(disk.index, point.stamp),
      bytesTransferred: point.sizes[disk.index],
      status: 'completed' as const,
      completedAt: at,
    })),
  );
}

/** Inserts the sample VM as its backup product would: 102 GB and 5 GB disks, a full and three incrementals. */
export async function insertPgtest1(session: Session): Promise<void> {
  await transaction(session, async (tx) => {
    await tx.orm.insert(backupRepositories).values({ id: repositoryId, name: 'Main repository' });
    await tx.orm.insert(vmBackupContexts).values({
      contextId,
      vmName: pgtest1.vmName,
      vmwareVmId: '420570c7-f61f-a930-77c5-1e876786cb3c',
      vmPath: '/dc-1/vm/pgtest1',
      vcenterHost: 'vcenter-1.example',
      datacenter: 'dc-1',
      repositoryId,
      totalBackupsRun: points.length,
      successfulBackups: points.length,
      lastBackupId: points[3].id,
      lastBackupType: 'incremental',
      lastBackupAt: timeOf(points[3].stamp),
    });
    for (const point of points) await insertPoint(tx, point);
    await tx.orm.insert(backupChains).values(
      disks.map((disk) => ({
        id: `chain-${contextId}-disk${disk.index}`,
        vmContextId: contextId,
        diskId: disk.index,
        fullBackupId: points[0].id,
        latestBackupId: points[3].id,
        totalBackups: points.length,
        totalSizeBytes: points.reduce((sum, point) => sum + point.sizes[disk.index], 0),
      })),
    );
  });
}
