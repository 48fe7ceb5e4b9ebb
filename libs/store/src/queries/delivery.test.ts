import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDatabase, transaction, type Database } from '../database.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { releaseLease, takeLease } from './leases.ts';
import {
  insertOutbox,
  markSent,
  pruneOutbox,
  releaseOutbox,
  requeueOutbox,
  takeOutbox,
  type OutboxMessage,
} from './outbox.ts';
import { listSlots, releaseJobSlots, releaseSlots, takeSlots } from './slots.ts';

let db: TestDatabase;
let replica: Database;
const nowMs = Date.parse('2026-11-21T06:00:00Z');

beforeAll(async () => {
  db = await openTestDatabase();
  replica = createDatabase({ url: db.url, connectionLimit: 4 });
});

beforeEach(async () => {
  for (const table of ['outbox', 'leases', 'concurrency_slots']) {
    await db.database.pool.query(`DELETE FROM ${table}`);
  }
});

afterAll(async () => {
  await replica.close();
  await db.close();
});

function message(msgId: string): OutboxMessage {
  return {
    msgId,
    type: 'command',
    jobId: 'j1',
    siteId: 'main',
    agentId: 'edge',
    kind: 'transfer-disk',
    payload: { msgId },
  };
}

async function store(count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, index) => message(`op-${index}`));
  await transaction(db.database, (tx) => insertOutbox(tx, messages, nowMs));
}

function ask(one: Database, holder: string) {
  return takeLease(one, { name: 'reaper', holder, ttlMs: 60_000 });
}

/** Time passes: what was taken for a minute has run out. */
async function expire(): Promise<void> {
  await db.database.pool.query('UPDATE leases SET expires_at = TIMESTAMPADD(SECOND, -61, expires_at)');
}

test('several publishers take every message once, oldest first', async () => {
  await store(40);
  const taken = await Promise.all(
    [db.database, replica, db.database, replica].map((one) => takeOutbox(one, { limit: 10 })),
  );
  const ids = taken.flat().map((row) => row.msgId);
  expect(new Set(ids).size).toBe(ids.length);
  const rest = await takeOutbox(db.database, { limit: 100 });
  expect([...ids, ...rest.map((row) => row.msgId)].toSorted()).toEqual(
    Array.from({ length: 40 }, (_, index) => `op-${index}`).toSorted(),
  );
  for (const batch of taken) {
    const numbers = batch.map((row) => row.id);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
});

test('a message that was sent is not taken again; one that failed is at once', async () => {
  await store(2);
  const [first, second] = await takeOutbox(db.database, { limit: 2 });
  await markSent(db.database, [first?.id ?? 0]);
  await releaseOutbox(db.database, [first?.id ?? 0, second?.id ?? 0]);
  const again = await takeOutbox(db.database, { limit: 2 });
  expect(again).toMatchObject([{ msgId: 'op-1', tries: 1, payload: { msgId: 'op-1' } }]);
});

test('the claim of a publisher that died runs out', async () => {
  await store(1);
  expect(await takeOutbox(db.database, { limit: 1 })).toHaveLength(1);
  expect(await takeOutbox(replica, { limit: 1 })).toEqual([]);
  await db.database.pool.query('UPDATE outbox SET claimed_until = TIMESTAMPADD(SECOND, -31, claimed_until)');
  expect(await takeOutbox(replica, { limit: 1 })).toMatchObject([{ msgId: 'op-0', tries: 1 }]);
});

test('one message id is stored once', async () => {
  await store(1);
  await store(1);
  expect(await takeOutbox(db.database, { limit: 10 })).toHaveLength(1);
});

test('after the bus lost its volume the commands of open operations are sent again under their ids', async () => {
  await store(3);
  const rows = await takeOutbox(db.database, { limit: 3 });
  await markSent(
    db.database,
    rows.map((row) => row.id),
  );
  const { pool } = db.database;
  await pool.query("INSERT INTO backup_jobs (id, vm_name) VALUES ('b', 'vm')");
  await pool.query(
    `INSERT INTO restore_jobs (id, backup_job_id, source_platform, target_platform, restore_type, status, target_config)
     VALUES ('j1', 'b', 'unknown', 'kvm', 'full_vm', 'uploading', '{}')`,
  );
  await pool.query(
    `INSERT INTO restore_step_attempts (op_id, restore_job_id, step_key, attempt, mode, state, dispatched_at)
     VALUES ('op-0', 'j1', 'a', 1, 'run', 'succeeded', NOW(3)), ('op-1', 'j1', 'b', 1, 'run', 'running', NOW(3))`,
  );
  expect(await requeueOutbox(db.database)).toBe(1);
  expect(await takeOutbox(db.database, { limit: 10 })).toMatchObject([{ msgId: 'op-1' }]);
  expect(await requeueOutbox(db.database, { msgIds: ['op-2', 'nope'] })).toBe(1);
  expect(await takeOutbox(db.database, { limit: 10 })).toMatchObject([{ msgId: 'op-2' }]);
  expect(await requeueOutbox(db.database, { msgIds: [] })).toBe(0);

  await pool.query("UPDATE outbox SET sent_at = '2026-01-01 00:00:00'");
  expect(await pruneOutbox(db.database, nowMs)).toBe(2);
  const [left] = await pool.query<RowDataPacket[]>('SELECT msg_id FROM outbox');
  expect(left).toMatchObject([{ msg_id: 'op-1' }]);
  await pool.query("DELETE FROM backup_jobs WHERE id = 'b'");
});

test('a lease has one holder, keeps its epoch while it is renewed and gets a higher one with each new holder', async () => {
  const both = await Promise.all([ask(db.database, 'a'), ask(replica, 'b')]);
  const won = both.filter((lease) => lease !== null);
  expect(won).toHaveLength(1);
  const holder = won[0]?.holder ?? '';
  const other = holder === 'a' ? 'b' : 'a';
  expect(await ask(db.database, holder)).toEqual({ name: 'reaper', holder, epoch: 1 });
  expect(await ask(replica, other)).toBeNull();
  await expire();
  const taken = await ask(replica, other);
  expect(taken).toEqual({ name: 'reaper', holder: other, epoch: 2 });
  expect(await ask(db.database, holder)).toBeNull();
  // The old holder's word counts no more.
  await releaseLease(db.database, { name: 'reaper', holder, epoch: 1 });
  expect(await ask(db.database, holder)).toBeNull();
  await releaseLease(replica, { name: 'reaper', holder: other, epoch: 2 });
  expect(await ask(db.database, holder)).toMatchObject({ epoch: 3 });
});

test('a holder that let its lease run out gets a new epoch', async () => {
  expect(await ask(db.database, 'a')).toMatchObject({ epoch: 1 });
  await expire();
  expect(await ask(db.database, 'a')).toMatchObject({ epoch: 2 });
});

test('slots are all taken or none, and never more than the limit, whoever asks at once', async () => {
  const keys = [
    { key: 'target-host:t', limit: 2 },
    { key: 'agent:edge', limit: 3 },
  ];
  const askSlots = (index: number) =>
    takeSlots(index % 2 === 0 ? db.database : replica, { holder: `op-${index}`, jobId: 'j1', keys, nowMs });
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => askSlots(index)));
  expect(answers.filter((answer) => answer === null)).toHaveLength(2);
  expect(new Set(answers)).toEqual(new Set([null, 'target-host:t']));
  const held = await listSlots(db.database);
  expect(held.map((row) => row.concurrencyKey).toSorted()).toEqual([
    'agent:edge',
    'agent:edge',
    'target-host:t',
    'target-host:t',
  ]);
});

test('taking again is no second place, and a full key gives back what was taken before it', async () => {
  const take = (holder: string, keys: readonly string[]) =>
    takeSlots(db.database, {
      holder,
      jobId: 'j1',
      keys: keys.map((key) => ({ key, limit: 1 })),
      nowMs,
    });
  expect(await take('a', ['k1', 'k3'])).toBeNull();
  expect(await take('a', ['k1'])).toBeNull();
  expect(await take('b', ['k2', 'k3'])).toBe('k3');
  expect((await listSlots(db.database)).map((row) => row.concurrencyKey)).toEqual(['k1', 'k3']);
  // Inside a transaction that goes on the same holds.
  await transaction(db.database, async (tx) => {
    const keys = ['k2', 'k3'].map((key) => ({ key, limit: 1 }));
    expect(await takeSlots(tx, { holder: 'c', jobId: 'j2', keys, nowMs })).toBe('k3');
  });
  expect(await listSlots(db.database)).toHaveLength(2);
  await releaseSlots(db.database, ['a']);
  await releaseSlots(db.database, []);
  expect(await take('b', ['k2', 'k3'])).toBeNull();
  await releaseJobSlots(db.database, 'j1');
  expect(await listSlots(db.database)).toEqual([]);
});
