import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { natsServerConfig } from './serverConfig.ts';
import { createTrust, loadTrust, revokeUser } from './trust.ts';
import { createSealingKey, createUserKey, openSealed, sealTo } from './sealing.ts';
import { issueAgentJwt, jwtLifetime, publicKeyOf } from './userJwt.ts';
import { Secret } from '@ascend/runtime';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-trust-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('key material is made once, kept in files only the owner reads, and read back', async () => {
  const made = await createTrust(dir);
  const again = await createTrust(dir);
  const loaded = await loadTrust(dir);
  expect(again.account.publicKey).toBe(made.account.publicKey);
  expect(loaded.controlSeed.reveal()).toBe(made.controlSeed.reveal());
  for (const name of ['trust.json', 'root-keys.json']) {
    expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
  }
  expect(JSON.stringify(made)).not.toContain(made.signingSeed.reveal());
});

test.each([
  ['not JSON', '{'],
  ['no object', '[]'],
  ['a seed missing', '{"operatorJwt":"x"}'],
])('a damaged trust file (%s) is refused instead of replaced', async (_, text) => {
  await writeFile(join(dir, 'trust.json'), text);
  await expect(createTrust(dir)).rejects.toMatchObject({ code: 'BUS_TRUST_INVALID' });
  expect(await readFile(join(dir, 'trust.json'), 'utf8')).toBe(text);
});

test('a trust folder without key material cannot be loaded', async () => {
  await expect(loadTrust(dir)).rejects.toMatchObject({ code: 'BUS_TRUST_INVALID' });
});

test('the server configuration holds no private key', async () => {
  const trust = await createTrust(dir);
  const text = natsServerConfig(trust, {
    listen: { host: '127.0.0.1', port: 4222 },
    storeDir: '/var/lib/x',
    websocket: { host: '127.0.0.1', port: 8443 },
    tls: { certFile: 'c', keyFile: 'k' },
  });
  for (const seed of [trust.signingSeed, trust.controlSeed, trust.controlXkeySeed]) {
    expect(text).not.toContain(seed.reveal());
  }
  expect(text).not.toMatch(/\bS[OAUX][A-Z2-7]{56}\b/);
});

test('a revocation needs the root keys and is kept', async () => {
  const trust = await createTrust(dir);
  const { publicKey } = createUserKey();
  const revoked = await revokeUser(dir, publicKey, 1_000);
  expect(revoked.account.jwt).not.toBe(trust.account.jwt);
  expect(revoked.account.publicKey).toBe(trust.account.publicKey);
  await rm(join(dir, 'root-keys.json'));
  await expect(revokeUser(dir, publicKey, 1_000)).rejects.toMatchObject({ code: 'BUS_TRUST_INVALID' });
});

test('an agent jwt is only issued for a public user key and tells its lifetime', async () => {
  const trust = await createTrust(dir);
  const key = createUserKey();
  const params = { address: { siteId: 'a', agentId: 'b' }, ttlMs: 60_000, nowMs: Date.now() };
  const jwt = await issueAgentJwt(trust, { ...params, publicKey: key.publicKey });
  const lifetime = jwtLifetime(jwt);
  expect(Number(lifetime.expiresAtMs) - lifetime.issuedAtMs).toBeGreaterThan(58_000);
  expect(publicKeyOf(key.seed)).toBe(key.publicKey);
  await expect(issueAgentJwt(trust, { ...params, publicKey: 'UABC' })).rejects.toMatchObject({
    code: 'BUS_KEY_INVALID',
  });
  expect(() => jwtLifetime('x')).toThrow(/not a NATS user jwt/);
  expect(() => publicKeyOf(new Secret('x'))).toThrow(/not an nkey seed/);
});

test('a sealed value opens with the right keys only', () => {
  const [sender, receiver, other] = [createSealingKey(), createSealingKey(), createSealingKey()];
  const plain = Buffer.from('open sesame');
  const sealed = sealTo({ senderSeed: sender.seed, recipient: receiver.publicKey, plain });
  const opened = openSealed({ seed: receiver.seed, sender: sender.publicKey, sealed });
  expect(Buffer.from(opened).toString()).toBe('open sesame');
  expect(sealed).not.toContain(plain.toString('base64'));
  const wrong = [
    { seed: other.seed, sender: sender.publicKey, sealed },
    { seed: receiver.seed, sender: other.publicKey, sealed },
    { seed: receiver.seed, sender: sender.publicKey, sealed: `${sealed.slice(0, -8)}AAAAAAA=` },
    { seed: receiver.seed, sender: 'UABC', sealed },
  ];
  for (const params of wrong) expect(() => openSealed(params)).toThrow(/open sealed value/);
  expect(() => sealTo({ senderSeed: sender.seed, recipient: 'X', plain })).toThrow(/seal/);
});
