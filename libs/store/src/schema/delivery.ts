import { bigint, datetime, int, mysqlEnum, mysqlTable, primaryKey, varchar } from 'drizzle-orm/mysql-core';
import { json } from './columns.ts';

/** Messages that a committed transaction wants sent. */
export const outbox = mysqlTable('outbox', {
  id: bigint('id', { mode: 'number' }).autoincrement().primaryKey(),
  msgId: varchar('msg_id', { length: 80 }).notNull(),
  jobId: varchar('job_id', { length: 64 }),
  type: mysqlEnum('type', ['command', 'cancel']).notNull(),
  siteId: varchar('site_id', { length: 63 }).notNull(),
  agentId: varchar('agent_id', { length: 63 }).notNull(),
  kind: varchar('kind', { length: 32 }).notNull(),
  payload: json('payload').notNull(),
  tries: int('tries').notNull().default(0),
  createdAt: datetime('created_at', { fsp: 3 }).notNull(),
  claimedUntil: datetime('claimed_until', { fsp: 3 }),
  sentAt: datetime('sent_at', { fsp: 3 }),
});

/** Events that were taken in: the second copy of one changes nothing. */
export const inbox = mysqlTable('inbox', {
  eventId: varchar('event_id', { length: 80 }).primaryKey(),
  jobId: varchar('job_id', { length: 64 }),
  opId: varchar('op_id', { length: 64 }),
  type: varchar('type', { length: 32 }).notNull(),
  ignored: varchar('ignored', { length: 255 }),
  receivedAt: datetime('received_at', { fsp: 3 }).notNull(),
});

/** Who does what alone, until when. */
export const leases = mysqlTable('leases', {
  name: varchar('name', { length: 100 }).primaryKey(),
  holder: varchar('holder', { length: 100 }).notNull(),
  epoch: bigint('epoch', { mode: 'number' }).notNull(),
  expiresAt: datetime('expires_at', { fsp: 3 }).notNull(),
});

/** Places that running operations hold (D17). */
export const concurrencySlots = mysqlTable(
  'concurrency_slots',
  {
    concurrencyKey: varchar('concurrency_key', { length: 255 }).notNull(),
    slot: int('slot').notNull(),
    holder: varchar('holder', { length: 64 }).notNull(),
    jobId: varchar('job_id', { length: 64 }).notNull(),
    acquiredAt: datetime('acquired_at', { fsp: 3 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.concurrencyKey, table.slot] })],
);
