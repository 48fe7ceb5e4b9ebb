import { sql } from 'drizzle-orm';
import { datetime, mysqlTable, primaryKey, varchar } from 'drizzle-orm/mysql-core';

/** A place with agents. */
export const sites = mysqlTable('sites', {
  id: varchar('id', { length: 63 }).primaryKey(),
  name: varchar('name', { length: 255 }).notNull(),
  createdAt: datetime('created_at', { fsp: 3 })
    .notNull()
    .default(sql`CURRENT_TIMESTAMP(3)`),
});

/** A folder of backups. */
export const backupRepositories = mysqlTable('backup_repositories', {
  id: varchar('id', { length: 64 }).primaryKey(),
  name: varchar('name', { length: 255 }).notNull(),
  type: varchar('type', { length: 32 }).notNull().default('local'),
  siteId: varchar('site_id', { length: 63 }),
  createdAt: datetime('created_at', { fsp: 3 })
    .notNull()
    .default(sql`CURRENT_TIMESTAMP(3)`),
});

/** Where an agent sees a repository. */
export const repositoryRoots = mysqlTable(
  'repository_roots',
  {
    repositoryId: varchar('repository_id', { length: 64 }).notNull(),
    agentId: varchar('agent_id', { length: 63 }).notNull(),
    rootPath: varchar('root_path', { length: 512 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.repositoryId, table.agentId] })],
);
