import type { RestorePlan, StepProgress, StoredError } from '@ascend/domain';
import {
  bigint,
  boolean,
  datetime,
  decimal,
  int,
  mysqlEnum,
  mysqlTable,
  text,
  timestamp,
  varchar,
} from 'drizzle-orm/mysql-core';
import { json, restoreStatuses, sourcePlatforms, targetPlatforms } from './columns.ts';

const restoreTypes = ['full_vm', 'file_level'] as const;

/** A computed plan, kept as it was answered. */
export const restorePlans = mysqlTable('restore_plans', {
  id: varchar('id', { length: 64 }).primaryKey(),
  backupId: varchar('backup_id', { length: 64 }).notNull(),
  targetId: varchar('target_id', { length: 63 }).notNull(),
  inputsHash: varchar('inputs_hash', { length: 128 }).notNull(),
  plan: json('plan').$type<RestorePlan>().notNull(),
  createdBy: varchar('created_by', { length: 255 }).notNull(),
  createdAt: datetime('created_at', { fsp: 3 }).notNull(),
});

/** One execution of a plan. */
export const restoreJobs = mysqlTable('restore_jobs', {
  id: varchar('id', { length: 64 }).primaryKey(),
  backupJobId: varchar('backup_job_id', { length: 64 }).notNull(),
  sourcePlatform: mysqlEnum('source_platform', sourcePlatforms).notNull(),
  targetPlatform: mysqlEnum('target_platform', targetPlatforms).notNull(),
  restoreType: mysqlEnum('restore_type', restoreTypes).notNull(),
  status: mysqlEnum('status', restoreStatuses).notNull(),
  targetConfig: json('target_config').notNull(),
  progressPercent: decimal('progress_percent', { precision: 5, scale: 2, mode: 'number' }).default(0),
  estimatedCompletion: timestamp('estimated_completion'),
  errorMessage: text('error_message'),
  targetVmId: varchar('target_vm_id', { length: 255 }),
  targetVmName: varchar('target_vm_name', { length: 255 }),
  createdAt: timestamp('created_at').defaultNow(),
  startedAt: timestamp('started_at'),
  completedAt: timestamp('completed_at'),
  state: mysqlEnum('state', [
    'queued',
    'running',
    'paused',
    'cancelling',
    'rolling_back',
    'completed',
    'failed',
    'cancelled',
    'rolled_back',
  ])
    .notNull()
    .default('queued'),
  version: int('version').notNull().default(1),
  planId: varchar('plan_id', { length: 64 }),
  plan: json('plan').$type<RestorePlan>(),
  inputsHash: varchar('inputs_hash', { length: 128 }),
  targetId: varchar('target_id', { length: 63 }),
  cancelRequested: boolean('cancel_requested').notNull().default(false),
  rollbackRequested: boolean('rollback_requested').notNull().default(false),
  pauseRequested: boolean('pause_requested').notNull().default(false),
  error: json('error').$type<StoredError>(),
  lastEventSeq: bigint('last_event_seq', { mode: 'number' }).notNull().default(0),
  createdBy: varchar('created_by', { length: 255 }),
  bandwidthBytesPerSecond: bigint('bandwidth_bytes_per_second', { mode: 'number' }),
  bandwidthRevision: bigint('bandwidth_revision', { mode: 'number' }).notNull().default(0),
});

/** One step of a restore, as its newest attempt left it. */
export const restoreSteps = mysqlTable('restore_steps', {
  id: varchar('id', { length: 64 }).primaryKey(),
  restoreJobId: varchar('restore_job_id', { length: 64 }).notNull(),
  stepName: varchar('step_name', { length: 255 }).notNull(),
  stepOrder: int('step_order').notNull(),
  status: mysqlEnum('status', [
    'pending',
    'running',
    'completed',
    'failed',
    'cancelled',
    'rolled_back',
    'paused',
    'awaiting_approval',
    'skipped',
  ]).notNull(),
  startedAt: timestamp('started_at'),
  completedAt: timestamp('completed_at'),
  errorMessage: text('error_message'),
  metadata: json('metadata'),
  stepKey: varchar('step_key', { length: 64 }).notNull(),
  kind: varchar('kind', { length: 32 }).notNull(),
  diskIndex: int('disk_index'),
  state: mysqlEnum('state', [
    'waiting',
    'dispatched',
    'running',
    'succeeded',
    'failed',
    'cancelled',
    'skipped',
  ])
    .notNull()
    .default('waiting'),
  attempt: int('attempt').notNull().default(0),
  opId: varchar('op_id', { length: 64 }),
  agentId: varchar('agent_id', { length: 63 }),
  epoch: int('epoch').notNull().default(0),
  notBeforeMs: bigint('not_before_ms', { mode: 'number' }).notNull().default(0),
  startedMs: bigint('started_ms', { mode: 'number' }),
  completedMs: bigint('completed_ms', { mode: 'number' }),
  output: json('output'),
  checkpoint: json('checkpoint'),
  progress: json('progress').$type<StepProgress>(),
  error: json('error').$type<StoredError>(),
});

/** One operation of an agent: an attempt of a step, or the removal of one of its resources. */
export const restoreStepAttempts = mysqlTable('restore_step_attempts', {
  opId: varchar('op_id', { length: 64 }).primaryKey(),
  restoreJobId: varchar('restore_job_id', { length: 64 }).notNull(),
  stepKey: varchar('step_key', { length: 64 }).notNull(),
  attempt: int('attempt').notNull(),
  mode: mysqlEnum('mode', ['run', 'undo']).notNull(),
  resourceKey: varchar('resource_key', { length: 64 }),
  agentId: varchar('agent_id', { length: 63 }),
  epoch: int('epoch').notNull().default(0),
  state: mysqlEnum('state', [
    'dispatched',
    'running',
    'succeeded',
    'failed',
    'cancelled',
    'superseded',
  ]).notNull(),
  error: json('error').$type<StoredError>(),
  dispatchedAt: datetime('dispatched_at', { fsp: 3 }).notNull(),
  endedAt: datetime('ended_at', { fsp: 3 }),
});

/** One disk of a backup, mounted for browsing. */
export const restoreMounts = mysqlTable('restore_mounts', {
  id: varchar('id', { length: 64 }).primaryKey(),
  backupDiskId: bigint('backup_disk_id', { mode: 'number' }).notNull(),
  diskIndex: int('disk_index').notNull().default(0),
  agentId: varchar('agent_id', { length: 63 }),
  engine: varchar('engine', { length: 32 }),
  nbdDevice: varchar('nbd_device', { length: 255 }),
  mountPath: varchar('mount_path', { length: 512 }),
  filesystemType: varchar('filesystem_type', { length: 32 }),
  state: mysqlEnum('state', ['mounting', 'mounted', 'unmounting', 'failed']).notNull().default('mounting'),
  errorMessage: text('error_message'),
  createdAt: timestamp('created_at').defaultNow(),
  lastAccessedAt: timestamp('last_accessed_at'),
  expiresAt: timestamp('expires_at'),
});

/** What stays of a restore, whatever happens to its backup. */
export const restoreReports = mysqlTable('restore_reports', {
  jobId: varchar('job_id', { length: 64 }).primaryKey(),
  backupId: varchar('backup_id', { length: 64 }).notNull(),
  vmName: varchar('vm_name', { length: 255 }).notNull(),
  targetId: varchar('target_id', { length: 63 }).notNull(),
  targetPlatform: varchar('target_platform', { length: 16 }).notNull(),
  restoreType: mysqlEnum('restore_type', restoreTypes).notNull(),
  state: varchar('state', { length: 16 }).notNull(),
  plan: json('plan').$type<RestorePlan>().notNull(),
  report: json('report'),
  error: json('error').$type<StoredError>(),
  startedAt: datetime('started_at', { fsp: 3 }).notNull(),
  endedAt: datetime('ended_at', { fsp: 3 }),
});
