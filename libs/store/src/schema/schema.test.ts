import { readFile } from 'node:fs/promises';
import { getTableConfig, MySqlTable } from 'drizzle-orm/mysql-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeSchema, type TableDescription } from '../testing/describeSchema.ts';
import { schemaPage } from '../testing/schemaPage.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import * as schema from './index.ts';

let db: TestDatabase;
let tables: ReadonlyMap<string, TableDescription>;

beforeAll(async () => {
  db = await openTestDatabase();
  tables = new Map((await describeSchema(db.database)).map((table) => [table.name, table]));
});

afterAll(async () => {
  await db.close();
});

/** `enum('a','b')` as its values. */
function enumValues(type: string): readonly string[] | null {
  const list = /^enum\((.*)\)$/.exec(type)?.[1];
  return list === undefined ? null : list.split(',').map((value) => value.replaceAll("'", ''));
}

test('what must survive the deletion of a backup has no foreign key', () => {
  for (const name of ['ledger', 'audit', 'restore_reports', 'evidence', 'job_events']) {
    expect(tables.get(name)?.foreignKeys).toEqual([]);
  }
});

test('every id and name compares byte by byte', async () => {
  const [rows] = await db.database.pool.query(
    `SELECT TABLE_NAME, COLUMN_NAME, COLLATION_NAME FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = DATABASE() AND COLLATION_NAME IS NOT NULL AND COLLATION_NAME <> 'utf8mb4_bin'`,
  );
  expect(rows).toEqual([]);
});

const deprecated = new Set(['backup_jobs.repository_path', 'backup_jobs.disk_id', 'backup_jobs.change_id']);
const drizzleTables = Object.values(schema).filter((value) => value instanceof MySqlTable);

function drizzleType(type: string): string {
  return type === 'timestamp' || type === 'boolean' ? type : type.replaceAll(', ', ',');
}

function comparable(type: string): string {
  const values = enumValues(type);
  // The order of platforms belongs to the migrations; the set must be the same.
  return values === null ? type : `enum ${values.toSorted().join(' ')}`;
}

test('the typed tables are the migrated ones, column by column', () => {
  const named = new Set(drizzleTables.map((table) => getTableConfig(table).name));
  expect([...tables.keys()].filter((name) => !named.has(name))).toEqual(['schema_migrations']);
  for (const drizzleTable of drizzleTables) {
    const config = getTableConfig(drizzleTable);
    const table = tables.get(config.name);
    const migrated = table?.columns
      .filter((column) => !deprecated.has(`${config.name}.${column.name}`))
      .map((column) => `${column.name} ${comparable(column.type)} ${column.nullable ? 'null' : 'not null'}`);
    const typed = config.columns.map(
      (column) =>
        `${column.name} ${comparable(drizzleType(column.getSQLType()))} ${column.notNull ? 'not null' : 'null'}`,
    );
    expect({ table: config.name, columns: typed }).toEqual({ table: config.name, columns: migrated });
    const keys = [
      ...config.columns.filter((column) => column.primary).map((column) => column.name),
      ...config.primaryKeys.flatMap((key) => key.columns.map((column) => column.name)),
    ];
    expect(keys).toEqual(table?.indexes.find((index) => index.name === 'PRIMARY')?.columns);
  }
});

test('the schema page is what the database says', async () => {
  const page = await readFile(new URL('../../SCHEMA.md', import.meta.url), 'utf8');
  expect(page).toBe(schemaPage([...tables.values()]));
});
