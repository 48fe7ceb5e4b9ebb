import { readFileSync } from 'node:fs';
import { hasCode } from '@ascend/errors';
import { expect, test } from 'vitest';
import { readConfig, settings } from './config.ts';

const least = {
  ASCEND_API_DATABASE: 'env:DB_URL',
  DB_URL: 'mysql://u:p@h/db',
  ASCEND_API_TRUST_DIR: '/trust',
  ASCEND_API_KEY_FILE: '/key',
};

test('the least configuration has defaults for the rest and hides the database URL', () => {
  const config = readConfig(least);
  expect(config.listen).toEqual({ host: '127.0.0.1', port: 8082 });
  expect(config.publicNatsUrls).toEqual(['nats://127.0.0.1:4222']);
  expect(JSON.stringify(config)).not.toContain('u:p');
  expect(config.databaseUrl.reveal()).toBe('mysql://u:p@h/db');
});

test.each([
  [{ ASCEND_API_LISTEN: '[::1]:80' }, { host: '::1', port: 80 }],
  [{ ASCEND_API_LISTEN: 'localhost:0' }, { host: 'localhost', port: 0 }],
])('%j is a listen address', (more, listen) => {
  expect(readConfig({ ...least, ...more }).listen).toEqual(listen);
});

test('agents may be told other bus addresses than this process uses', () => {
  const config = readConfig({ ...least, ASCEND_API_NATS_PUBLIC_URLS: 'tls://a:4222, wss://b:443' });
  expect(config.publicNatsUrls).toEqual(['tls://a:4222', 'wss://b:443']);
  expect(config.natsUrls).toEqual(['nats://127.0.0.1:4222']);
});

test.each([
  ['a missing database', { ASCEND_API_DATABASE: '' }],
  ['a database URL in clear', { ASCEND_API_DATABASE: 'mysql://u:p@h/db' }],
  ['a port out of range', { ASCEND_API_LISTEN: 'h:70000' }],
  ['a listen address without port', { ASCEND_API_LISTEN: 'localhost' }],
  ['a bus URL of another scheme', { ASCEND_API_NATS_URLS: 'http://h:1' }],
  ['an unknown log level', { ASCEND_API_LOG_LEVEL: 'loud' }],
  ['a mistyped setting', { ASCEND_API_LISTNE: 'h:1' }],
])('%s is refused', (_name, more) => {
  expect(() => readConfig({ ...least, ...more })).toThrow(
    expect.toSatisfy((error) => hasCode(error, 'CONFIG_INVALID')),
  );
});

test('the README lists every setting with what it is about', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  for (const { name, about } of Object.values(settings)) {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\``));
    expect(row, name).toContain(about);
  }
});
