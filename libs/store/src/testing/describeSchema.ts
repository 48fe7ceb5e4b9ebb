import type { RowDataPacket } from 'mysql2/promise';
import type { Database } from '../database.ts';

/** A column as the database has it, in words that are the same on MySQL and MariaDB. */
export interface ColumnDescription {
  readonly name: string;
  /** Lower case, without display widths: `varchar(64)`, `bigint`, `enum('a','b')`, `json`. */
  readonly type: string;
  readonly nullable: boolean;
  readonly default: string | null;
  readonly extra: string;
  readonly comment: string;
}

/** A key: its columns in order. */
export interface IndexDescription {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: readonly string[];
}

/** A foreign key. */
export interface ForeignKeyDescription {
  readonly name: string;
  readonly column: string;
  readonly references: string;
  readonly onDelete: string;
}

/** One table. */
export interface TableDescription {
  readonly name: string;
  readonly columns: readonly ColumnDescription[];
  readonly indexes: readonly IndexDescription[];
  readonly foreignKeys: readonly ForeignKeyDescription[];
}

function plainType(type: string): string {
  const lower = type.toLowerCase();
  // MariaDB keeps JSON as longtext, and integers there have display widths; tinyint(1) is BOOLEAN on both.
  if (lower === 'longtext') return 'json';
  if (lower === 'tinyint(1)') return 'boolean';
  return lower.replace(/^(tinyint|int|bigint)\(\d+\)/, '$1');
}

function plainDefault(value: unknown): string | null {
  if (typeof value !== 'string' || value === 'NULL') return null;
  const text = value.replace(/^'(.*)'$/, '$1').replace(/^current_timestamp(\(\))?$/i, 'CURRENT_TIMESTAMP');
  return text.replace(/^current_timestamp\((\d)\)$/i, 'CURRENT_TIMESTAMP($1)');
}

async function select(database: Database, statement: string): Promise<RowDataPacket[]> {
  const [rows] = await database.pool.query<RowDataPacket[]>(statement);
  return rows;
}

function of(rows: readonly RowDataPacket[], table: string): readonly RowDataPacket[] {
  return rows.filter((row) => row['t'] === table);
}

// Servers order names by collations of their own.
function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** Everything `information_schema` says about the tables of a database, in the order of their names. */
export async function describeSchema(database: Database): Promise<readonly TableDescription[]> {
  const here = 'TABLE_SCHEMA = DATABASE()';
  const tables = await select(
    database,
    `SELECT TABLE_NAME AS t FROM information_schema.TABLES WHERE ${here} ORDER BY TABLE_NAME`,
  );
  const columns = await select(
    database,
    `SELECT TABLE_NAME AS t, COLUMN_NAME AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable, COLUMN_DEFAULT AS dflt,
     EXTRA AS extra, COLUMN_COMMENT AS comment
     FROM information_schema.COLUMNS WHERE ${here} ORDER BY TABLE_NAME, ORDINAL_POSITION`,
  );
  const indexes = await select(
    database,
    `SELECT TABLE_NAME AS t, INDEX_NAME AS name, MIN(NON_UNIQUE) AS non_unique,
     GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) AS cols
     FROM information_schema.STATISTICS WHERE ${here} GROUP BY TABLE_NAME, INDEX_NAME ORDER BY TABLE_NAME, INDEX_NAME`,
  );
  const keys = await select(
    database,
    `SELECT k.TABLE_NAME AS t, k.CONSTRAINT_NAME AS name, k.COLUMN_NAME AS col,
     CONCAT(k.REFERENCED_TABLE_NAME, '.', k.REFERENCED_COLUMN_NAME) AS ref, r.DELETE_RULE AS on_delete
     FROM information_schema.KEY_COLUMN_USAGE k
     JOIN information_schema.REFERENTIAL_CONSTRAINTS r
       ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
       AND r.TABLE_NAME = k.TABLE_NAME
     WHERE k.TABLE_SCHEMA = DATABASE() ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME`,
  );
  return tables.map(({ t }) => ({
    name: String(t),
    columns: of(columns, String(t)).map((row) => ({
      name: String(row['name']),
      type: plainType(String(row['type'])),
      nullable: row['nullable'] === 'YES',
      default: plainDefault(row['dflt']),
      extra: String(row['extra']).replace('DEFAULT_GENERATED', '').trim(),
      comment: String(row['comment']),
    })),
    indexes: of(indexes, String(t))
      .map((row) => ({
        name: String(row['name']),
        unique: Number(row['non_unique']) === 0,
        columns: String(row['cols']).split(','),
      }))
      .toSorted(byName),
    foreignKeys: of(keys, String(t))
      .map((row) => ({
        name: String(row['name']),
        column: String(row['col']),
        references: String(row['ref']),
        // Two words for one thing; servers differ in which one they show.
        onDelete: String(row['on_delete']).replace('NO ACTION', 'RESTRICT'),
      }))
      .toSorted(byName),
  }));
}
