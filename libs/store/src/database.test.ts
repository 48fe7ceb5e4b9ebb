import { afterAll, beforeAll, expect, test } from 'vitest';
import { sql } from 'drizzle-orm';
import { createDatabase, query, transaction } from './database.ts';
import { sites } from './schema/index.ts';
import { openTestDatabase, type TestDatabase } from './testing/testDatabase.ts';
import { listBackups } from './queries/backups.ts';
import { putSite } from './queries/agents.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await openTestDatabase();
});

afterAll(async () => {
  await db.close();
});

test('every connection runs in UTC and refuses values that do not fit, whatever the server’s own settings are', async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const [rows] = await db.database.pool.query(
        'SELECT @@session.time_zone AS zone, @@session.sql_mode AS mode, SLEEP(0.02) AS s',
      );
      return JSON.stringify(rows);
    }),
  );
  for (const answer of answers) {
    expect(answer).toContain('"zone":"+00:00"');
    expect(answer).toContain('STRICT_TRANS_TABLES');
  }
});

test('a value that does not fit is refused, and neither statement nor value is in the error', async () => {
  const secret = 'hunter2'.repeat(50);
  const error = await putSite(db.database, { id: 'main', name: secret }).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'STORE_VALUE_REFUSED', message: expect.stringMatching(/^put site: /) });
  expect(String(error)).not.toContain('hunter2');
  expect(JSON.stringify(error)).not.toContain('hunter2');
});

test('a statement the server does not know is a failed query', async () => {
  const bad = query('be wrong', async (session) => session.orm.execute(sql`SELECT * FROM no_such_table`));
  await expect(bad(db.database)).rejects.toMatchObject({
    code: 'STORE_QUERY_FAILED',
    message: expect.stringContaining('no_such_table'),
    details: { errno: 1146 },
  });
});

test('an error of the caller in a transaction takes everything back', async () => {
  const run = transaction(db.database, async (tx) => {
    await tx.orm.insert(sites).values({ id: 'half', name: 'x' });
    throw new Error('changed my mind');
  });
  await expect(run).rejects.toMatchObject({
    code: 'INTERNAL_BUG',
    message: expect.stringContaining('my mind'),
  });
  expect(await db.database.orm.select().from(sites)).toEqual([]);
});

test('a transaction in a transaction is the same one', async () => {
  const run = transaction(db.database, async (outer) => {
    await transaction(outer, async (inner) => {
      expect(inner).toBe(outer);
      await inner.orm.insert(sites).values({ id: 'inner', name: 'x' });
    });
    throw new Error('no');
  });
  await expect(run).rejects.toThrow('no');
  expect(await db.database.orm.select().from(sites)).toEqual([]);
});

test('after closing, and without a server, the database is unavailable', async () => {
  const closed = createDatabase({ url: db.url });
  await closed.close();
  await closed.close();
  await expect(listBackups(closed)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  const nowhere = createDatabase({ url: 'mysql://root@127.0.0.1:1/x' });
  await expect(listBackups(nowhere)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await expect(transaction(nowhere, async () => undefined)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  });
  await nowhere.close();
  const noDatabase = createDatabase({ url: db.server.url('nothing') });
  await expect(listBackups(noDatabase)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await noDatabase.close();
});
