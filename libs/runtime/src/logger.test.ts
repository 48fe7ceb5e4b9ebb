import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { newId } from './ids.ts';
import { createLogger } from './logger.ts';
import { Secret } from './secret.ts';

it('never writes a secret, whether wrapped or under a telling key', () => {
  const lines: string[] = [];
  const logger = createLogger({ name: 'test', write: (line) => lines.push(line) });
  logger.info('hello', { value: new Secret('hunter2'), password: 'hunter2', deep: { token: 'hunter2' } });
  logger.child({ seed: 'hunter2' }).error('again');
  expect(lines.join('')).not.toContain('hunter2');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'hello', value: '[secret]', password: '[secret]' });
});

it('a secret shows itself only when asked by name', () => {
  const secret = new Secret('hunter2');
  expect([String(secret), JSON.stringify({ secret }), inspect({ secret })].join(' ')).not.toContain(
    'hunter2',
  );
  expect(secret.reveal()).toBe('hunter2');
});

it('makes ids that sort by time', () => {
  const ids = [newId(1_000), newId(2_000), newId(3_000_000_000_000)];
  expect(ids.toSorted()).toEqual(ids);
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
