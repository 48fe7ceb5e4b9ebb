import { AppError } from '@ascend/errors';
import type { PoolConnection, RowDataPacket } from 'mysql2/promise';
import type { Database } from '../database.ts';
import { toStoreError } from '../databaseError.ts';
import { readMigrations, type Migration } from './migrationFiles.ts';
import { runStatement } from './runStatement.ts';
import type { Statement } from './statement.ts';

/** How migrations are run. */
export interface MigrateParams {
  /** Default: the folder of this package; a bundle names where it put it. */
  readonly dir?: string;
  /** Longest wait for another process that migrates the same database. Default 60 s. */
  readonly lockTimeoutMs?: number;
}

interface AppliedRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly direction: 'up' | 'down';
  readonly statementsDone: number;
  readonly finished: boolean;
}

// One row per migration that was begun. `direction` down: its removal was begun and must be ended before anything else.
const bookkeeping = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version INT NOT NULL,
  name VARCHAR(100) NOT NULL,
  checksum CHAR(64) NOT NULL,
  direction ENUM('up','down') NOT NULL DEFAULT 'up',
  statements_done INT NOT NULL DEFAULT 0,
  applied_at DATETIME(3) NULL,
  PRIMARY KEY (version)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;

async function readApplied(connection: PoolConnection): Promise<ReadonlyMap<number, AppliedRow>> {
  const [rows] = await connection.query<RowDataPacket[]>('SELECT * FROM schema_migrations ORDER BY version');
  return new Map(
    rows.map((row) => [
      Number(row['version']),
      {
        version: Number(row['version']),
        name: String(row['name']),
        checksum: String(row['checksum']),
        direction: row['direction'] === 'down' ? 'down' : 'up',
        statementsDone: Number(row['statements_done']),
        finished: row['applied_at'] !== null,
      },
    ]),
  );
}

function checkKnown(applied: ReadonlyMap<number, AppliedRow>, migrations: readonly Migration[]): void {
  for (const row of applied.values()) {
    const known = migrations.find((migration) => migration.version === row.version);
    if (known === undefined) {
      throw new AppError({
        code: 'STORE_SCHEMA_NEWER',
        message: `migrate database: it has migration ${row.name}, this version knows ${migrations.length}`,
        details: { version: row.version, known: migrations.length },
      });
    }
    if (known.checksum !== row.checksum) {
      throw new AppError({
        code: 'STORE_MIGRATION_CHANGED',
        message: `migrate database: ${row.name} was applied with checksum ${row.checksum.slice(0, 12)}, the file has ${known.checksum.slice(0, 12)}`,
        details: { version: row.version },
      });
    }
  }
}

async function runNumbered(
  connection: PoolConnection,
  migration: Migration,
  direction: 'up' | 'down',
  index: number,
  statement: Statement,
): Promise<void> {
  try {
    await runStatement(connection, statement);
  } catch (error) {
    const cause = toStoreError(error, `run statement ${index + 1}`);
    const name = `${migration.name}.${direction}.sql`;
    throw new AppError({
      code: 'STORE_MIGRATION_FAILED',
      message: `migrate database: ${name} stopped at statement ${index + 1}: ${cause.message}`,
      details: { migration: migration.name, direction, statement: index + 1 },
      cause,
    });
  }
}

async function applyUp(connection: PoolConnection, migration: Migration, from: number): Promise<void> {
  const { version, name, checksum } = migration;
  await connection.query(
    'INSERT INTO schema_migrations (version, name, checksum) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE name = VALUES(name)',
    [version, name, checksum],
  );
  for (const [index, statement] of migration.up.entries()) {
    if (index < from) continue;
    await runNumbered(connection, migration, 'up', index, statement);
    await connection.query('UPDATE schema_migrations SET statements_done = ? WHERE version = ?', [
      index + 1,
      version,
    ]);
  }
  await connection.query('UPDATE schema_migrations SET applied_at = UTC_TIMESTAMP(3) WHERE version = ?', [
    version,
  ]);
}

async function applyDown(connection: PoolConnection, migration: Migration): Promise<void> {
  const { version } = migration;
  await connection.query("UPDATE schema_migrations SET direction = 'down' WHERE version = ?", [version]);
  for (const [index, statement] of migration.down.entries()) {
    await runNumbered(connection, migration, 'down', index, statement);
  }
  await connection.query('DELETE FROM schema_migrations WHERE version = ?', [version]);
}

/** A removal that was cut short is ended first: its tables are partly gone and nothing can be built on them. */
async function endBrokenDowns(
  connection: PoolConnection,
  migrations: readonly Migration[],
): Promise<ReadonlyMap<number, AppliedRow>> {
  const applied = await readApplied(connection);
  checkKnown(applied, migrations);
  const broken = migrations.filter((migration) => applied.get(migration.version)?.direction === 'down');
  for (const migration of broken.toReversed()) await applyDown(connection, migration);
  return broken.length === 0 ? applied : readApplied(connection);
}

/** Runs `work` on one connection that holds the migration lock of this database. */
async function underLock<T>(
  database: Database,
  timeoutMs: number,
  work: (connection: PoolConnection) => Promise<T>,
): Promise<T> {
  let connection: PoolConnection | undefined;
  try {
    connection = await database.pool.getConnection();
    // The lock is the server's, not the database's: the name must tell databases apart. At most 64 characters.
    const lock = "LEFT(CONCAT('ascend_migrate_', SHA1(DATABASE())), 64)";
    const [rows] = await connection.query<RowDataPacket[]>(`SELECT GET_LOCK(${lock}, ?) AS got`, [
      timeoutMs / 1000,
    ]);
    if (Number(rows[0]?.['got']) !== 1) {
      throw new AppError({
        code: 'STORE_MIGRATION_LOCKED',
        message: `migrate database: lock not free after ${timeoutMs} ms`,
      });
    }
    await connection.query(bookkeeping);
    const result = await work(connection);
    await connection.query(`DO RELEASE_LOCK(${lock})`);
    connection.release();
    return result;
  } catch (error) {
    // The lock goes with the connection.
    connection?.destroy();
    throw toStoreError(error, 'migrate database');
  }
}

/**
 * Brings the database to the newest schema and returns the names of what was applied. Safe when several processes
 * start at once; after a crash it goes on at the statement that was not recorded as done (every statement may run twice).
 *
 * @throws {AppError} STORE_MIGRATION_LOCKED, STORE_MIGRATION_FAILED, STORE_MIGRATION_CHANGED, STORE_SCHEMA_NEWER, STORE_UNAVAILABLE
 */
export async function migrate(database: Database, params: MigrateParams = {}): Promise<readonly string[]> {
  const migrations = await readMigrations(params.dir);
  return underLock(database, params.lockTimeoutMs ?? 60_000, async (connection) => {
    const applied = await endBrokenDowns(connection, migrations);
    const done: string[] = [];
    for (const migration of migrations) {
      const row = applied.get(migration.version);
      if (row?.finished === true) continue;
      await applyUp(connection, migration, row?.statementsDone ?? 0);
      done.push(migration.name);
    }
    return done;
  });
}

/**
 * Takes migrations back, newest first, until `toVersion` is the newest one applied (0 = none). Danger: their tables
 * are dropped with all rows.
 *
 * @throws {AppError} as `migrate`
 */
export async function migrateDown(
  database: Database,
  toVersion: number,
  params: MigrateParams = {},
): Promise<readonly string[]> {
  const migrations = await readMigrations(params.dir);
  return underLock(database, params.lockTimeoutMs ?? 60_000, async (connection) => {
    const applied = await endBrokenDowns(connection, migrations);
    const done: string[] = [];
    for (const migration of migrations.toReversed()) {
      if (migration.version <= toVersion || !applied.has(migration.version)) continue;
      await applyDown(connection, migration);
      done.push(migration.name);
    }
    return done;
  });
}
