import { bigint, int, mysqlEnum, mysqlTable, text, timestamp, varchar } from 'drizzle-orm/mysql-core';
import { provenances, sourcePlatforms } from './columns.ts';

/** A VM in one repository. */
export const vmBackupContexts = mysqlTable('vm_backup_contexts', {
  contextId: varchar('context_id', { length: 64 }).primaryKey(),
  vmName: varchar('vm_name', { length: 255 }).notNull(),
  vmwareVmId: varchar('vmware_vm_id', { length: 255 }),
  vmPath: varchar('vm_path', { length: 500 }),
  vcenterHost: varchar('vcenter_host', { length: 255 }),
  datacenter: varchar('datacenter', { length: 255 }),
  repositoryId: varchar('repository_id', { length: 64 }),
  totalBackupsRun: int('total_backups_run').default(0),
  successfulBackups: int('successful_backups').default(0),
  lastBackupId: varchar('last_backup_id', { length: 64 }),
  lastBackupType: mysqlEnum('last_backup_type', ['full', 'incremental']),
  lastBackupAt: timestamp('last_backup_at'),
  sourcePlatform: mysqlEnum('source_platform', sourcePlatforms).notNull().default('unknown'),
  provenance: mysqlEnum('provenance', provenances).notNull().default('database'),
});

/** A backup: the restore point that its disks belong to. The deprecated columns are in the database but not here: nothing reads them. */
export const backupJobs = mysqlTable('backup_jobs', {
  id: varchar('id', { length: 64 }).primaryKey(),
  vmBackupContextId: varchar('vm_backup_context_id', { length: 64 }),
  vmName: varchar('vm_name', { length: 255 }).notNull(),
  backupType: mysqlEnum('backup_type', ['full', 'incremental', 'differential']).notNull().default('full'),
  status: mysqlEnum('status', ['pending', 'running', 'completed', 'failed', 'cancelled'])
    .notNull()
    .default('pending'),
  repositoryId: varchar('repository_id', { length: 64 }),
  errorMessage: text('error_message'),
  provenance: mysqlEnum('provenance', provenances).notNull().default('database'),
  createdAt: timestamp('created_at').defaultNow(),
  completedAt: timestamp('completed_at'),
});

/** One disk of a backup. */
export const backupDisks = mysqlTable('backup_disks', {
  id: bigint('id', { mode: 'number' }).autoincrement().primaryKey(),
  vmBackupContextId: varchar('vm_backup_context_id', { length: 64 }),
  backupJobId: varchar('backup_job_id', { length: 64 }).notNull(),
  diskIndex: int('disk_index').notNull().default(0),
  vmwareDiskKey: int('vmware_disk_key'),
  sizeGb: bigint('size_gb', { mode: 'number' }),
  unitNumber: int('unit_number'),
  diskChangeId: varchar('disk_change_id', { length: 255 }),
  qcow2Path: varchar('qcow2_path', { length: 512 }),
  bytesTransferred: bigint('bytes_transferred', { mode: 'number' }),
  status: mysqlEnum('status', ['pending', 'running', 'completed', 'failed']).notNull().default('pending'),
  errorMessage: text('error_message'),
  completedAt: timestamp('completed_at'),
  sourceFormat: mysqlEnum('source_format', ['qcow2', 'vhd', 'vhdx', 'vmdk', 'raw', 'ebs-snapshot'])
    .notNull()
    .default('qcow2'),
  sourceRef: varchar('source_ref', { length: 512 }),
  fileSizeBytes: bigint('file_size_bytes', { mode: 'number' }),
});

/** The newest chain of one disk of a VM: its full and what points at it. */
export const backupChains = mysqlTable('backup_chains', {
  id: varchar('id', { length: 64 }).primaryKey(),
  vmContextId: varchar('vm_context_id', { length: 64 }).notNull(),
  diskId: int('disk_id').notNull().default(0),
  fullBackupId: varchar('full_backup_id', { length: 64 }),
  latestBackupId: varchar('latest_backup_id', { length: 64 }),
  totalBackups: int('total_backups').default(0),
  totalSizeBytes: bigint('total_size_bytes', { mode: 'number' }).default(0),
});
