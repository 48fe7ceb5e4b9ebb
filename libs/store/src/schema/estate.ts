import type { HostCapabilities, TargetFacts } from '@ascend/domain';
import {
  bigint,
  char,
  customType,
  datetime,
  int,
  mysqlEnum,
  mysqlTable,
  primaryKey,
  varchar,
} from 'drizzle-orm/mysql-core';
import { json, targetPlatforms } from './columns.ts';

const mediumText = customType<{ data: string; driverData: string }>({ dataType: () => 'mediumtext' });

/** An edge process that has enrolled. */
export const agents = mysqlTable('agents', {
  id: varchar('id', { length: 63 }).primaryKey(),
  siteId: varchar('site_id', { length: 63 }).notNull(),
  publicKey: varchar('public_key', { length: 64 }).notNull(),
  publicXkey: varchar('public_xkey', { length: 64 }).notNull(),
  version: varchar('version', { length: 64 }).notNull(),
  capabilities: json('capabilities').$type<HostCapabilities>(),
  openOps: json('open_ops').$type<readonly string[]>(),
  enrolledAt: datetime('enrolled_at', { fsp: 3 }).notNull(),
  lastSeenAt: datetime('last_seen_at', { fsp: 3 }),
  revokedAt: datetime('revoked_at', { fsp: 3 }),
  configuredBandwidth: bigint('configured_bandwidth', { mode: 'number' }),
  bandwidthBytesPerSecond: bigint('bandwidth_bytes_per_second', { mode: 'number' }),
  bandwidthRevision: bigint('bandwidth_revision', { mode: 'number' }).notNull().default(0),
});

/** A one-time token for one agent of a site; only its hash is stored. */
export const enrollmentTokens = mysqlTable('enrollment_tokens', {
  id: varchar('id', { length: 36 }).primaryKey(),
  tokenSha256: char('token_sha256', { length: 64 }).notNull(),
  siteId: varchar('site_id', { length: 63 }).notNull(),
  createdBy: varchar('created_by', { length: 255 }).notNull(),
  createdAt: datetime('created_at', { fsp: 3 }).notNull(),
  expiresAt: datetime('expires_at', { fsp: 3 }).notNull(),
  usedAt: datetime('used_at', { fsp: 3 }),
  usedByAgent: varchar('used_by_agent', { length: 63 }),
});

/** A configured platform endpoint. */
export const targets = mysqlTable('targets', {
  id: varchar('id', { length: 63 }).primaryKey(),
  name: varchar('name', { length: 255 }).notNull(),
  platform: mysqlEnum('platform', targetPlatforms).notNull(),
  connection: json('connection').$type<Readonly<Record<string, unknown>>>().notNull(),
  sealedCredentials: mediumText('sealed_credentials'),
  secretNames: json('secret_names').$type<readonly string[]>().notNull(),
  createdAt: datetime('created_at', { fsp: 3 }).notNull(),
  updatedAt: datetime('updated_at', { fsp: 3 }).notNull(),
});

/** Which agents may serve a target. */
export const targetAgents = mysqlTable(
  'target_agents',
  {
    targetId: varchar('target_id', { length: 63 }).notNull(),
    agentId: varchar('agent_id', { length: 63 }).notNull(),
    preference: int('preference').notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.targetId, table.agentId] })],
);

/** The cached inventory of a target (D1). */
export const targetFacts = mysqlTable('target_facts', {
  targetId: varchar('target_id', { length: 63 }).primaryKey(),
  agentId: varchar('agent_id', { length: 63 }),
  facts: json('facts').$type<TargetFacts>().notNull(),
  fetchedAt: datetime('fetched_at', { fsp: 3 }).notNull(),
});
