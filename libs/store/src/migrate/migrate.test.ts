import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../database.ts';
import { describeSchema } from '../testing/describeSchema.ts';
import { dyingAfter } from '../testing/dyingDatabase.ts';
import { startMariadb, type Mariadb } from '../testing/mariadb.ts';
import { migrate, migrateDown } from './migrate.ts';
import { migrationsDir, readMigrations } from './migrationFiles.ts';

let server: Mariadb;
let dir: string;
const open: Database[] = [];

beforeAll(async () => {
  server = await startMariadb();
  dir = await mkdtemp(join(tmpdir(), 'ascend-migrations-'));
});

afterAll(async () => {
  await Promise.all(open.map((database) => database.close()));
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

async function emptyDatabase(): Promise<Database> {
  const database = createDatabase({ url: await server.createDatabase() });
  open.push(database);
  return database;
}

/** A folder with the real migrations in which `change` may spoil files. */
async function copyMigrations(name: string): Promise<string> {
  const copy = join(dir, name);
  await cp(migrationsDir, copy, { recursive: true });
  return copy;
}

test('two replicas that start at once both end with the whole schema, each migration applied once', async () => {
  const url = await server.createDatabase();
  const replicas = [1, 2, 3].map(() => createDatabase({ url }));
  open.push(...replicas);
  const applied = await Promise.all(replicas.map((replica) => migrate(replica)));
  const names = (await readMigrations()).map((migration) => migration.name);
  expect(applied.flat()).toEqual(names);
});

test('every migration goes up, down and up again to the same schema', async () => {
  const database = await emptyDatabase();
  const count = (await readMigrations()).length;
  const after: unknown[] = [];
  for (let version = 1; version <= count; version += 1) {
    const copy = await copyMigrations(`up-to-${version}`);
    const extra = (await readMigrations(copy)).slice(version).map((migration) => migration.name);
    await Promise.all(
      extra.flatMap((name) => [rm(join(copy, `${name}.up.sql`)), rm(join(copy, `${name}.down.sql`))]),
    );
    await migrate(database, { dir: copy });
    after.push(await describeSchema(database));
  }
  for (let version = count; version >= 1; version -= 1) {
    expect(await describeSchema(database)).toEqual(after[version - 1]);
    await migrateDown(database, version - 1);
  }
  const bookkeeping = await describeSchema(database);
  expect(bookkeeping.map((table) => table.name)).toEqual(['schema_migrations']);
  await migrate(database);
  expect(await describeSchema(database)).toEqual(after.at(-1));
});

test.each([6, 7, 11])(
  'a migration that dies again and again, first after %i queries, goes on where it was and leaves the same schema',
  async (queries) => {
    const whole = await emptyDatabase();
    await migrate(whole);
    const database = await emptyDatabase();
    let deaths = 0;
    for (let isDone = false; !isDone;) {
      // A little later each time: one statement may need many look-ups before it counts as done.
      isDone = await migrate(dyingAfter(queries + deaths, database)).then(
        () => true,
        () => false,
      );
      deaths += isDone ? 0 : 1;
      expect(deaths).toBeLessThan(500);
    }
    expect(deaths).toBeGreaterThan(10);
    expect(await describeSchema(database)).toEqual(await describeSchema(whole));
  },
);

test('a statement that the server refuses is named, and done ones are not run again', async () => {
  const database = await emptyDatabase();
  const copy = await copyMigrations('spoiled');
  const path = join(copy, '0003_estate.up.sql');
  const parts = (await readFile(path, 'utf8')).split('--> statement-breakpoint');
  parts[4] = '\nTHIS IS NOT SQL\n';
  await writeFile(path, parts.join('--> statement-breakpoint'));
  await expect(migrate(database, { dir: copy })).rejects.toMatchObject({
    code: 'STORE_MIGRATION_FAILED',
    details: { migration: '0003_estate', direction: 'up', statement: 5 },
  });
  const [rows] = await database.pool.query<RowDataPacket[]>(
    'SELECT version, statements_done AS done, applied_at IS NULL AS open FROM schema_migrations ORDER BY version',
  );
  expect(rows.at(-1)).toMatchObject({ version: 3, done: 4, open: 1 });
});

test('every statement may run a second time', async () => {
  const database = await emptyDatabase();
  await migrate(database);
  const before = await describeSchema(database);
  for (const { version } of await readMigrations()) {
    await database.pool.query(
      'UPDATE schema_migrations SET statements_done = 0, applied_at = NULL WHERE version = ?',
      [version],
    );
    // The first statements of a migration move tables aside; they ran long before a crash can repeat the later ones.
    const skip = version === 1 ? 5 : version === 4 ? 3 : 0;
    await database.pool.query('UPDATE schema_migrations SET statements_done = ? WHERE version = ?', [
      skip,
      version,
    ]);
  }
  await migrate(database);
  expect(await describeSchema(database)).toEqual(before);
});

test('a removal that was cut short is ended before anything is built again', async () => {
  const database = await emptyDatabase();
  await migrate(database);
  const before = await describeSchema(database);
  const copy = await copyMigrations('broken-down');
  const path = join(copy, '0005_delivery.down.sql');
  const parts = (await readFile(path, 'utf8')).split('--> statement-breakpoint');
  await writeFile(path, [...parts.slice(0, 2), '\nTHIS IS NOT SQL\n'].join('--> statement-breakpoint'));
  await migrateDown(database, 5);
  await expect(migrateDown(database, 4, { dir: copy })).rejects.toMatchObject({
    code: 'STORE_MIGRATION_FAILED',
    details: { direction: 'down', statement: 3 },
  });
  expect(await migrate(database)).toEqual(['0005_delivery', '0006_bandwidth']);
  expect(await describeSchema(database)).toEqual(before);
});

test('an applied migration whose text changed is refused', async () => {
  const database = await emptyDatabase();
  await migrate(database);
  const copy = await copyMigrations('changed');
  const path = join(copy, '0003_estate.up.sql');
  await writeFile(path, `-- one more remark\n${await readFile(path, 'utf8')}`);
  await expect(migrate(database, { dir: copy })).rejects.toMatchObject({
    code: 'STORE_MIGRATION_CHANGED',
    details: { version: 3 },
  });
});

test('a database of a newer version is refused', async () => {
  const database = await emptyDatabase();
  await migrate(database);
  await database.pool.query(
    "INSERT INTO schema_migrations (version, name, checksum) VALUES (99, '0099_future', REPEAT('a', 64))",
  );
  await expect(migrate(database)).rejects.toMatchObject({ code: 'STORE_SCHEMA_NEWER' });
});

test('a lock that is not given back in time ends the wait with its own code', async () => {
  const database = await emptyDatabase();
  const holder = await database.pool.getConnection();
  try {
    await holder.query("SELECT GET_LOCK(LEFT(CONCAT('ascend_migrate_', SHA1(DATABASE())), 64), 5)");
    await expect(migrate(database, { lockTimeoutMs: 200 })).rejects.toMatchObject({
      code: 'STORE_MIGRATION_LOCKED',
    });
  } finally {
    holder.destroy();
  }
});

test('a server that is not there is unavailable, not a bug', async () => {
  const database = createDatabase({ url: 'mysql://root@localhost/x?socketPath=%2Fnonexistent.sock' });
  await expect(migrate(database)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await database.close();
});
