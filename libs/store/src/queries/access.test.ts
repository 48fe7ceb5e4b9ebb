import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { appendAudit, listAudit, verifyAudit } from './audit.ts';
import { listEvidence, maxEvidenceBytes, putEvidence, readEvidence } from './evidence.ts';
import { getSetting, putSetting } from './settings.ts';
import { authenticateToken, createApiToken, listApiTokens, putUser, revokeApiToken } from './users.ts';

let db: TestDatabase;
const t0 = Date.parse('2026-11-21T06:00:00Z');
const run = async (statement: string): Promise<unknown> => db.database.pool.query(statement);

beforeAll(async () => {
  db = await openTestDatabase();
});

beforeEach(async () => {
  await run('DELETE FROM users');
  await run('DELETE FROM audit');
  await run("UPDATE audit_head SET seq = 0, hash = REPEAT('0', 64)");
});

afterAll(async () => {
  await db.close();
});

const make = (more: { ttlMs?: number } = {}) =>
  createApiToken(db.database, {
    userName: 'ops',
    role: 'operator',
    tokenName: 'laptop',
    nowMs: t0,
    ...more,
  });

const who = (token: string, nowMs = t0 + 1) => authenticateToken(db.database, token, nowMs);

describe('API tokens', () => {
  test('tell who calls, until they are revoked, expire, or the user is disabled', async () => {
    const forever = await make();
    const short = await make({ ttlMs: 1000 });
    expect(forever.token.startsWith(`${forever.prefix}_`)).toBe(true);
    expect(await who(forever.token)).toMatchObject({ name: 'ops', role: 'operator', tokenId: forever.id });
    expect(await who(short.token, t0 + 999)).toMatchObject({ tokenId: short.id });
    expect(await who(short.token, t0 + 1000)).toBeNull();
    expect(await who(`${forever.token}x`)).toBeNull();
    expect(await who('')).toBeNull();
    await putUser(db.database, { name: 'ops', role: 'viewer', nowMs: t0 });
    expect(await who(forever.token)).toMatchObject({ role: 'viewer' });
    await run('UPDATE users SET disabled_at = NOW(3)');
    expect(await who(forever.token)).toBeNull();
    await run('UPDATE users SET disabled_at = NULL');
    await revokeApiToken(db.database, forever.id, t0);
    await revokeApiToken(db.database, forever.id, t0 + 5);
    expect(await who(forever.token)).toBeNull();
    await expect(revokeApiToken(db.database, 'nope', t0)).rejects.toMatchObject({
      code: 'STORE_TOKEN_UNKNOWN',
    });
  });

  test('are stored as a hash only, and their use is noted now and then', async () => {
    const { token, id } = await make();
    const [rows] = await db.database.pool.query('SELECT * FROM api_tokens');
    expect(JSON.stringify(rows)).not.toContain(token.split('_').at(-1));
    expect(JSON.stringify(rows)).toContain(createHash('sha256').update(token).digest('hex'));
    const used = async () => (await listApiTokens(db.database)).find((one) => one.id === id)?.lastUsedAt;
    await who(token, t0 + 1000);
    await who(token, t0 + 2000);
    expect(await used()).toEqual(new Date(t0 + 1000));
    await who(token, t0 + 1000 + 301_000);
    expect(await used()).toEqual(new Date(t0 + 302_000));
  });
});

const entry = (index: number) => ({
  actor: 'ops',
  action: 'POST /api/v1/restores',
  subject: `job-${index}`,
  details: { status: 201, z: index, a: 'größer', dry: false, note: null },
});

describe('the audit trail', () => {
  test('numbers its rows without a gap, whoever writes at the same time, and can be checked', async () => {
    expect(await verifyAudit(db.database)).toBe(0);
    await Promise.all(
      Array.from({ length: 12 }, (_, index) => appendAudit(db.database, entry(index), t0 + index)),
    );
    expect(await verifyAudit(db.database)).toBe(12);
    const rows = await listAudit(db.database, { limit: 3 });
    expect(rows.map((row) => row.seq)).toEqual([12, 11, 10]);
    expect(rows[0]?.prevHash).toBe(rows[1]?.hash);
    expect(rows[0]?.details).toMatchObject({ status: 201, a: 'größer' });
  });

  test.each([
    ['a changed row', "UPDATE audit SET actor = 'someone' WHERE seq = 2", 2],
    ['changed details', `UPDATE audit SET details = '{"status":200}' WHERE seq = 3`, 3],
    ['a removed row', 'DELETE FROM audit WHERE seq = 2', 2],
    ['a cut tail', 'DELETE FROM audit WHERE seq > 2', 3],
    ['a moved head', "UPDATE audit_head SET hash = REPEAT('f', 64)", 4],
    ['a head that lies behind', 'UPDATE audit_head SET seq = 3', 4],
    ['a replaced hash', "UPDATE audit SET hash = REPEAT('f', 64) WHERE seq = 1", 1],
  ])('shows %s', async (_what, statement, seq) => {
    for (let index = 0; index < 4; index += 1) await appendAudit(db.database, entry(index), t0);
    await run(statement);
    await expect(verifyAudit(db.database)).rejects.toMatchObject({
      code: 'STORE_AUDIT_BROKEN',
      details: { seq },
    });
  });

  test('cuts what is too long instead of losing the row', async () => {
    const long = 'x'.repeat(2000);
    await appendAudit(db.database, { actor: long, action: long, subject: long, details: {} }, t0);
    expect(await verifyAudit(db.database)).toBe(1);
  });

  test('without its head is broken', async () => {
    await run('DELETE FROM audit_head');
    await expect(appendAudit(db.database, entry(1), t0)).rejects.toMatchObject({
      code: 'STORE_AUDIT_BROKEN',
    });
    await run("INSERT INTO audit_head VALUES (1, 0, REPEAT('0', 64))");
  });
});

describe('evidence', () => {
  const place = { jobId: 'j1', stepKey: 'start-and-verify', opId: 'op-1', kind: 'screenshot' };

  test('comes back byte by byte, once per content, and only through its own job', async () => {
    const content = Buffer.from(Array.from({ length: 4096 }, (_, index) => index % 256));
    const put = () => putEvidence(db.database, { ...place, mediaType: 'image/png', content, nowMs: t0 });
    const id = await put();
    expect(await put()).toBe(id);
    const [row] = await listEvidence(db.database, 'j1');
    expect(row).toMatchObject({ ...place, id, mediaType: 'image/png', createdAt: new Date(t0) });
    expect(await listEvidence(db.database, 'j1')).toHaveLength(1);
    const read = await readEvidence(db.database, 'j1', id);
    expect(read?.content.equals(content)).toBe(true);
    expect(await readEvidence(db.database, 'j2', id)).toBeNull();
  });

  test('of exactly 1 MiB is kept, one byte more is refused', async () => {
    const put = (size: number) =>
      putEvidence(db.database, { ...place, mediaType: 'x/y', content: Buffer.alloc(size, 7), nowMs: t0 });
    const id = await put(maxEvidenceBytes);
    expect((await readEvidence(db.database, 'j1', id))?.content.byteLength).toBe(maxEvidenceBytes);
    await expect(put(maxEvidenceBytes + 1)).rejects.toMatchObject({ code: 'STORE_EVIDENCE_TOO_LARGE' });
  });
});

test('a setting is what was stored last', async () => {
  expect(await getSetting(db.database, 'operator')).toBeNull();
  await putSetting(db.database, { name: 'operator', value: { key: 'file:/k' }, nowMs: t0 });
  await putSetting(db.database, { name: 'operator', value: 'just text', nowMs: t0 });
  expect(await getSetting(db.database, 'operator')).toBe('just text');
});
