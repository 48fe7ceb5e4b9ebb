import type { BackupDiskStatus, BackupStatus, BackupType } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import type { Database } from '../database.ts';
import { toStoreError } from '../databaseError.ts';

/** A VM context in the catalogue database of another product. */
export interface SourceContext {
  readonly contextId: string;
  readonly vmName: string;
  readonly vmwareVmId: string | null;
  readonly vmPath: string | null;
  readonly vcenterHost: string | null;
  readonly datacenter: string | null;
  readonly repositoryId: string | null;
  readonly totalBackupsRun: number | null;
  readonly successfulBackups: number | null;
  readonly lastBackupId: string | null;
  readonly lastBackupType: 'full' | 'incremental' | null;
  readonly lastBackupAt: Date | null;
}

/** A backup in it. */
export interface SourceJob {
  readonly id: string;
  readonly contextId: string;
  readonly vmName: string | null;
  readonly backupType: BackupType;
  readonly status: BackupStatus;
  readonly repositoryId: string | null;
  readonly createdAt: Date | null;
  readonly completedAt: Date | null;
}

/** A disk of a backup in it. */
export interface SourceDisk {
  readonly backupJobId: string;
  readonly diskIndex: number;
  readonly vmwareDiskKey: number | null;
  readonly sizeGb: number | null;
  readonly unitNumber: number | null;
  readonly diskChangeId: string | null;
  readonly qcow2Path: string | null;
  readonly bytesTransferred: number | null;
  readonly status: BackupDiskStatus;
  readonly errorMessage: string | null;
  readonly completedAt: Date | null;
}

/** A chain in it. */
export interface SourceChain {
  readonly id: string;
  readonly contextId: string;
  readonly diskId: number;
  readonly fullBackupId: string | null;
  readonly latestBackupId: string | null;
  readonly totalBackups: number | null;
  readonly totalSizeBytes: number | null;
}

/** A VM with all its backups. */
export interface SourceVm {
  readonly context: SourceContext;
  readonly jobs: readonly SourceJob[];
  readonly disks: readonly SourceDisk[];
  readonly chains: readonly SourceChain[];
}

const contextsSql = `SELECT context_id AS contextId, vm_name AS vmName, vmware_vm_id AS vmwareVmId, vm_path AS vmPath,
  vcenter_host AS vcenterHost, datacenter, repository_id AS repositoryId, total_backups_run AS totalBackupsRun,
  successful_backups AS successfulBackups, last_backup_id AS lastBackupId, last_backup_type AS lastBackupType,
  last_backup_at AS lastBackupAt FROM vm_backup_contexts ORDER BY context_id`;
const jobsSql = `SELECT id, vm_backup_context_id AS contextId, vm_name AS vmName, backup_type AS backupType, status,
  repository_id AS repositoryId, created_at AS createdAt, completed_at AS completedAt
  FROM backup_jobs WHERE vm_backup_context_id IN (?) ORDER BY created_at, id`;
const disksSql = `SELECT d.backup_job_id AS backupJobId, d.disk_index AS diskIndex, d.vmware_disk_key AS vmwareDiskKey,
  d.size_gb AS sizeGb, d.unit_number AS unitNumber, d.disk_change_id AS diskChangeId, d.qcow2_path AS qcow2Path,
  d.bytes_transferred AS bytesTransferred, d.status, d.error_message AS errorMessage, d.completed_at AS completedAt,
  j.vm_backup_context_id AS contextId
  FROM backup_disks d JOIN backup_jobs j ON j.id = d.backup_job_id
  WHERE j.vm_backup_context_id IN (?) ORDER BY d.backup_job_id, d.disk_index`;
const chainsSql = `SELECT id, vm_context_id AS contextId, disk_id AS diskId, full_backup_id AS fullBackupId,
  latest_backup_id AS latestBackupId, total_backups AS totalBackups, total_size_bytes AS totalSizeBytes
  FROM backup_chains WHERE vm_context_id IN (?)`;

/** VMs whose rows are in memory at once. */
const batchSize = 50;

async function read<T>(connection: PoolConnection, statement: string, ids: readonly string[]): Promise<T[]> {
  const [rows] = await connection.query<(RowDataPacket & T)[]>(statement, [ids]);
  return rows;
}

async function readBatch(
  connection: PoolConnection,
  contexts: readonly SourceContext[],
): Promise<readonly SourceVm[]> {
  const ids = contexts.map((context) => context.contextId);
  const jobs = Map.groupBy(await read<SourceJob>(connection, jobsSql, ids), (row) => row.contextId);
  const disks = Map.groupBy(
    await read<SourceDisk & { contextId: string }>(connection, disksSql, ids),
    (row) => row.contextId,
  );
  const chains = Map.groupBy(await read<SourceChain>(connection, chainsSql, ids), (row) => row.contextId);
  return contexts.map((context) => ({
    context,
    jobs: jobs.get(context.contextId) ?? [],
    disks: disks.get(context.contextId) ?? [],
    chains: chains.get(context.contextId) ?? [],
  }));
}

const schemaProblems = new Set(['ER_NO_SUCH_TABLE', 'ER_BAD_FIELD_ERROR', 'ER_TABLEACCESS_DENIED_ERROR']);

function sourceError(error: unknown): AppError {
  const cause = toStoreError(error, 'read source catalogue');
  if (!schemaProblems.has(String(cause.details['driverCode']))) return cause;
  return new AppError({ code: 'CATALOG_SOURCE_UNREADABLE', message: cause.message, cause });
}

/**
 * All VMs of another catalogue database as of one moment, a few at a time. Only reads, in a read-only transaction.
 *
 * @throws {AppError} CATALOG_SOURCE_UNREADABLE - tables or columns missing, or no right to read; STORE_UNAVAILABLE
 */
export async function* readSourceCatalogue(source: Database): AsyncGenerator<SourceVm, void, undefined> {
  let connection: PoolConnection | undefined;
  try {
    connection = await source.pool.getConnection();
    await connection.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
    const [contexts] = await connection.query<(RowDataPacket & SourceContext)[]>(contextsSql);
    for (let from = 0; from < contexts.length; from += batchSize) {
      yield* await readBatch(connection, contexts.slice(from, from + batchSize));
    }
  } catch (error) {
    throw sourceError(error);
  } finally {
    if (connection !== undefined) {
      await connection.query('ROLLBACK').catch(() => undefined);
      connection.release();
    }
  }
}
