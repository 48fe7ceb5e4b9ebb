import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import type { Condition, Statement } from './statement.ts';

const lookups: Readonly<Record<Condition['kind'], string>> = {
  table:
    "SELECT COUNT(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND '' = ?",
  column:
    'SELECT COUNT(*) AS n FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ?',
  index:
    'SELECT COUNT(*) AS n FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND INDEX_NAME = ?',
};

async function exists(
  connection: PoolConnection,
  kind: Condition['kind'],
  table: string,
  name: string,
): Promise<boolean> {
  const [rows] = await connection.query<RowDataPacket[]>(lookups[kind], [table, name]);
  return Number(rows[0]?.['n']) > 0;
}

/** Runs one step of a migration: missing columns of existing tables, then the SQL when every condition holds. */
export async function runStatement(connection: PoolConnection, statement: Statement): Promise<void> {
  for (const { table, column, type } of statement.additions) {
    if (!(await exists(connection, 'table', table, ''))) continue;
    if (await exists(connection, 'column', table, column)) continue;
    await connection.query(`ALTER TABLE ${table} ADD COLUMN ${column} ${type} NULL`);
  }
  for (const condition of statement.conditions) {
    const found = await exists(connection, condition.kind, condition.table, condition.name);
    if (found !== condition.wanted) return;
  }
  if (statement.sql !== '') await connection.query(statement.sql);
}
