import type { Backup, BackupChain, BackupDisks, BackupList } from '@ascend/protocol';
import type { BackupDiskRow, BackupRow, ChainImage } from '@ascend/store';
import { presentTimeOrNull } from './time.ts';

/** `GET backups`: field names and order as existing callers know them. */
export function presentBackups(rows: readonly BackupRow[]): BackupList {
  return {
    backups: rows.map((row) => ({
      backup_id: row.id,
      vm_name: row.vmName,
      backup_type: row.backupType,
      status: row.status,
      created_at: presentTimeOrNull(row.createdAt),
      disk_results: row.disks.map((disk) => ({
        disk_id: disk.diskIndex,
        qcow2_path: disk.qcow2Path ?? '',
      })),
    })),
  };
}

/** The name of a chain's image: its file name without folder and suffix; the backup's id when no file is recorded. */
export function imageId(row: ChainImage): string {
  const file = row.qcow2Path?.split('/').at(-1);
  return file === undefined || file === '' ? row.backupId : file.replace(/\.[a-z0-9]+$/i, '');
}

/** `GET backups/chain`: full first, then incrementals in time order. */
export function presentChain(chainId: string, rows: readonly ChainImage[]): BackupChain {
  const full = rows.find((row) => row.backupType === 'full');
  return {
    chain_id: chainId,
    full_backup_id: full === undefined ? null : imageId(full),
    backups: rows.map((row) => ({
      id: imageId(row),
      type: row.backupType,
      size_bytes: row.sizeBytes,
      backup_id: row.backupId,
    })),
    total_backups: rows.length,
    total_size_bytes: rows.reduce((sum, row) => sum + row.sizeBytes, 0),
  };
}

function presentDisk(disk: BackupDiskRow): BackupDisks['disks'][number] {
  return {
    disk_index: disk.diskIndex,
    vmware_disk_key: disk.vmwareDiskKey,
    size_gb: disk.sizeGb,
    qcow2_path: disk.qcow2Path,
    status: disk.status,
  };
}

/** `GET backups/{id}/disks`. */
export function presentDisks(row: Pick<BackupRow, 'id' | 'disks'>): BackupDisks {
  return { backup_id: row.id, disks: row.disks.map(presentDisk) };
}

/** `GET backups/{id}`. */
export function presentBackup(row: BackupRow): Backup {
  return {
    backup_id: row.id,
    context_id: row.contextId,
    vm_name: row.vmName,
    repository_id: row.repositoryId,
    backup_type: row.backupType,
    status: row.status,
    created_at: presentTimeOrNull(row.createdAt),
    completed_at: presentTimeOrNull(row.completedAt),
    error_message: row.errorMessage,
    source_platform: row.sourcePlatform,
    has_vm_spec: row.hasVmSpec,
    disks: row.disks.map((disk) => ({ ...presentDisk(disk), source_format: disk.sourceFormat })),
  };
}
