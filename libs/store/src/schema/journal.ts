import type { LedgerEntry } from '@ascend/domain';
import {
  bigint,
  char,
  datetime,
  int,
  mysqlEnum,
  mysqlTable,
  primaryKey,
  varchar,
} from 'drizzle-orm/mysql-core';
import { json, mediumBlob } from './columns.ts';

/** What happened in a restore, in order (D14). */
export const jobEvents = mysqlTable(
  'job_events',
  {
    restoreJobId: varchar('restore_job_id', { length: 64 }).notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    type: varchar('type', { length: 64 }).notNull(),
    at: datetime('at', { fsp: 3 }).notNull(),
    data: json('data').notNull(),
  },
  (table) => [primaryKey({ columns: [table.restoreJobId, table.seq] })],
);

/** Every resource created or about to be created on a target (D5). */
export const ledger = mysqlTable(
  'ledger',
  {
    jobId: varchar('job_id', { length: 64 }).notNull(),
    stepKey: varchar('step_key', { length: 64 }).notNull(),
    resourceKey: varchar('resource_key', { length: 64 }).notNull(),
    targetId: varchar('target_id', { length: 63 }).notNull(),
    kind: varchar('kind', { length: 16 }).$type<LedgerEntry['kind']>().notNull(),
    name: varchar('name', { length: 255 }).notNull(),
    tag: varchar('tag', { length: 255 }).notNull(),
    token: json('token'),
    state: mysqlEnum('state', ['intended', 'present', 'deleting', 'gone', 'abandoned']).notNull(),
    undoOrder: int('undo_order').notNull(),
    opId: varchar('op_id', { length: 64 }),
    epoch: int('epoch').notNull().default(0),
    createdAt: datetime('created_at', { fsp: 3 }).notNull(),
    updatedAt: datetime('updated_at', { fsp: 3 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.stepKey, table.resourceKey] })],
);

/** A piece of proof: picture, console tail. */
export const evidence = mysqlTable('evidence', {
  id: varchar('id', { length: 36 }).primaryKey(),
  jobId: varchar('job_id', { length: 64 }).notNull(),
  stepKey: varchar('step_key', { length: 64 }).notNull(),
  opId: varchar('op_id', { length: 64 }),
  kind: varchar('kind', { length: 32 }).notNull(),
  mediaType: varchar('media_type', { length: 100 }).notNull(),
  sha256: char('sha256', { length: 64 }).notNull(),
  content: mediumBlob('content').notNull(),
  createdAt: datetime('created_at', { fsp: 3 }).notNull(),
});
