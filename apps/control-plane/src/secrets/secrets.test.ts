import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode, isAppError } from '@ascend/errors';
import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { openAtRest, sealAtRest } from './atRest.ts';
import { loadKeyFile } from './keyFile.ts';
import { findNestedSecret, splitSecrets } from './splitSecrets.ts';

const folder = mkdtempSync(join(tmpdir(), 'ascend-key-'));
afterAll(() => rmSync(folder, { recursive: true }));

function codeOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return isAppError(error) ? error.code : error;
  }
}

test('a key file is made once with mode 600 and read again', () => {
  const path = join(folder, 'key');
  const first = loadKeyFile(path);
  expect(first).toHaveLength(32);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(loadKeyFile(path).equals(first)).toBe(true);
});

test('a key file that others may read, or that is too short, is refused', () => {
  const open = join(folder, 'open');
  loadKeyFile(open);
  chmodSync(open, 0o644);
  expect(codeOf(() => loadKeyFile(open))).toBe('CONFIG_INVALID');
  const short = join(folder, 'short');
  writeFileSync(short, 'abcd', { mode: 0o600 });
  expect(codeOf(() => loadKeyFile(short))).toBe('CONFIG_INVALID');
  expect(readFileSync(short, 'utf8')).toBe('abcd');
});

test('what is sealed opens with the same key and owner only', () => {
  const key = randomBytes(32);
  const sealed = sealAtRest(key, 'target-1', 'pä55');
  expect(sealed).not.toContain('pä55');
  expect(openAtRest(key, 'target-1', sealed)).toBe('pä55');
  const changed = `${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`;
  for (const [k, owner, text] of [
    [randomBytes(32), 'target-1', sealed],
    [key, 'target-2', sealed],
    [key, 'target-1', changed],
    [key, 'target-1', 'nonsense'],
  ] as const) {
    expect(() => openAtRest(k, owner, text)).toThrow(
      expect.toSatisfy((error) => hasCode(error, 'API_SECRET_UNREADABLE')),
    );
  }
});

test('two seals of the same text differ', () => {
  const key = randomBytes(32);
  expect(sealAtRest(key, 't', 'x')).not.toBe(sealAtRest(key, 't', 'x'));
});

test('credentials leave the connection, explicit secrets win', () => {
  const given = { host: 'h', password: 'a', secretKey: 'b', storages: { fast: '/a' }, port: 1 };
  expect(splitSecrets(given, { password: 'better' })).toEqual({
    connection: { host: 'h', storages: { fast: '/a' }, port: 1 },
    secrets: { password: 'better', secretKey: 'b' },
  });
});

test.each([
  [{ proxy: { password: 'x' } }, 'proxy.password'],
  [{ hosts: [{ name: 'a', api_key: 'x' }] }, 'hosts.0.api_key'],
  [{ password: 'moved, not nested' }, null],
  [{ tokens: { path: '/x' }, size: 3, nothing: null }, null],
])('a credential below the top level is found: %j', (connection, path) => {
  expect(findNestedSecret(connection)).toBe(path);
});
