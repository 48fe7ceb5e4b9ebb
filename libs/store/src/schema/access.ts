import { bigint, char, datetime, mysqlEnum, mysqlTable, tinyint, varchar } from 'drizzle-orm/mysql-core';
import { json } from './columns.ts';

/** Someone who may call the API. */
export const users = mysqlTable('users', {
  id: varchar('id', { length: 36 }).primaryKey(),
  name: varchar('name', { length: 255 }).notNull(),
  role: mysqlEnum('role', ['viewer', 'operator', 'admin']).notNull(),
  createdAt: datetime('created_at', { fsp: 3 }).notNull(),
  disabledAt: datetime('disabled_at', { fsp: 3 }),
});

/** A bearer token; only its hash is stored. */
export const apiTokens = mysqlTable('api_tokens', {
  id: varchar('id', { length: 36 }).primaryKey(),
  userId: varchar('user_id', { length: 36 }).notNull(),
  name: varchar('name', { length: 255 }).notNull(),
  prefix: varchar('prefix', { length: 16 }).notNull(),
  tokenSha256: char('token_sha256', { length: 64 }).notNull(),
  createdAt: datetime('created_at', { fsp: 3 }).notNull(),
  expiresAt: datetime('expires_at', { fsp: 3 }),
  lastUsedAt: datetime('last_used_at', { fsp: 3 }),
  revokedAt: datetime('revoked_at', { fsp: 3 }),
});

/** A choice of the installation, or a reference to key material. */
export const settings = mysqlTable('settings', {
  name: varchar('name', { length: 100 }).primaryKey(),
  value: json('value').notNull(),
  updatedAt: datetime('updated_at', { fsp: 3 }).notNull(),
});

/** Who did what: each row carries the hash of the one before. */
export const audit = mysqlTable('audit', {
  seq: bigint('seq', { mode: 'number' }).primaryKey(),
  at: datetime('at', { fsp: 3 }).notNull(),
  actor: varchar('actor', { length: 255 }).notNull(),
  action: varchar('action', { length: 512 }).notNull(),
  subject: varchar('subject', { length: 512 }).notNull(),
  details: json('details').$type<Readonly<Record<string, string | number | boolean | null>>>().notNull(),
  prevHash: char('prev_hash', { length: 64 }).notNull(),
  hash: char('hash', { length: 64 }).notNull(),
});

/** Where the audit chain ends; one row. */
export const auditHead = mysqlTable('audit_head', {
  id: tinyint('id').primaryKey(),
  seq: bigint('seq', { mode: 'number' }).notNull(),
  hash: char('hash', { length: 64 }).notNull(),
});
