import type { SourcePlatform } from './platform.ts';

/** As the seeds' enum; `differential` is listed but never restorable. */
export type BackupType = 'full' | 'incremental' | 'differential';
/** As the seeds' enum of `backup_jobs.status`. */
export type BackupStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled';
/** As the seeds' enum of `backup_disks.status`. */
export type BackupDiskStatus = 'pending' | 'running' | 'completed' | 'failed';
/** How one disk of a restore point is stored. */
export type SourceFormat = 'qcow2' | 'vhd' | 'vhdx' | 'vmdk' | 'raw' | 'ebs-snapshot';

/** One disk of a restore point, as the catalogue knows it. */
export interface RestorePointDisk {
  readonly diskIndex: number;
  readonly vmwareDiskKey: number | null;
  /** Whole GiB as recorded by the backup; the true size is in the facts. */
  readonly sizeGb: number | null;
  /** As recorded: absolute (possibly under another mount point) or relative to the repository root. */
  readonly path: string;
  readonly format: SourceFormat;
  readonly status: BackupDiskStatus;
}

/** A restore point: one backup with its disks in `diskIndex` order. */
export interface RestorePoint {
  readonly backupId: string;
  readonly contextId: string;
  readonly vmName: string;
  readonly repositoryId: string;
  readonly backupType: BackupType;
  readonly status: BackupStatus;
  readonly sourcePlatform: SourcePlatform;
  /** ISO 8601 UTC, or null when the repository alone could not tell. */
  readonly createdAt: string | null;
  readonly disks: readonly RestorePointDisk[];
}
