import type { RestorePointFacts, VmSpec } from '@ascend/domain';
import { sql } from 'drizzle-orm';
import { datetime, mysqlEnum, mysqlTable, varchar } from 'drizzle-orm/mysql-core';
import { json, sourcePlatforms } from './columns.ts';

/** Who told the specification of a VM, weakest first. */
export const specProvenances = ['guest-probe', 'sidecar', 'api', 'operator'] as const;

/** What is known of the VM a backup was taken of. */
export const backupVmSpecs = mysqlTable('backup_vm_specs', {
  backupId: varchar('backup_id', { length: 64 }).primaryKey(),
  sourcePlatform: mysqlEnum('source_platform', sourcePlatforms).notNull().default('unknown'),
  provenance: mysqlEnum('provenance', specProvenances).notNull(),
  spec: json('spec').$type<VmSpec>().notNull(),
  updatedAt: datetime('updated_at', { fsp: 3 })
    .notNull()
    .default(sql`CURRENT_TIMESTAMP(3)`),
});

/** The cached analysis of a backup (D1). */
export const restorePointFacts = mysqlTable('restore_point_facts', {
  backupId: varchar('backup_id', { length: 64 }).primaryKey(),
  fingerprint: varchar('fingerprint', { length: 128 }).notNull(),
  agentId: varchar('agent_id', { length: 63 }),
  facts: json('facts').$type<RestorePointFacts>().notNull(),
  analyzedAt: datetime('analyzed_at', { fsp: 3 }).notNull(),
});
