import * as fc from 'fast-check';
import { isAppError } from '@ascend/errors';
import { describe, expect, it } from 'vitest';
import { parseKvmConnection } from './connection.ts';

const good = { storages: { disks: '/var/lib/ascend/disks' }, state_dir: '/var/lib/ascend/state' };

function outcome(value: unknown): string {
  try {
    const { storages } = parseKvmConnection(value);
    return Object.values(storages).every((path) => path.startsWith('/')) ? 'connection' : 'relative path';
  } catch (error) {
    return isAppError(error) ? error.code : 'another error';
  }
}

describe('parseKvmConnection', () => {
  it('offers every network it can make when none is named', () => {
    expect(parseKvmConnection(good)).toEqual({ ...good, networks: ['user'] });
  });

  it('takes the slash off the end of a folder', () => {
    expect(parseKvmConnection({ ...good, state_dir: '/srv/vms//state/' }).state_dir).toBe('/srv/vms/state');
  });

  it.each([
    ['nothing', null, 'object'],
    ['a list', [], 'object'],
    ['no storage', { ...good, storages: {} }, 'at least one folder'],
    ['storages of another form', { ...good, storages: '/srv' }, 'at least one folder'],
    ['a relative folder', { ...good, storages: { disks: 'srv' } }, 'storages.disks must be an absolute path'],
    ['the root folder', { ...good, state_dir: '/' }, 'root folder'],
    ['the root folder in disguise', { ...good, state_dir: '/srv/..' }, 'root folder'],
    ['a storage name with a slash', { ...good, storages: { 'a/b': '/srv' } }, 'storage name "a/b"'],
    ['a storage name of the language', { ...good, storages: { __proto__x: '/srv' } }, 'storage name'],
    ['no state folder', { storages: good.storages }, 'state_dir must be an absolute path'],
    ['a folder that is too long', { ...good, state_dir: `/${'x'.repeat(2000)}` }, '2001 characters'],
    ['an unknown network', { ...good, networks: ['lan'] }, 'user'],
    ['no network at all', { ...good, networks: [] }, 'not empty'],
    ['an unknown field', { ...good, password: 'x' }, '"password" is not a known field'],
    ['a zero byte in a path', { ...good, state_dir: '/srv/\0' }, 'absolute path'],
  ])('refuses %s and says where', (_what, input, part) => {
    expect(() => parseKvmConnection(input)).toThrow(
      expect.objectContaining({ code: 'TARGET_CONNECTION_INVALID', message: expect.stringContaining(part) }),
    );
  });

  it('answers every input with a connection or a coded error', () => {
    const input = fc.record(
      { storages: fc.anything(), networks: fc.anything(), state_dir: fc.oneof(fc.string(), fc.anything()) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(input, fc.anything()), (value) => {
        expect(['connection', 'TARGET_CONNECTION_INVALID']).toContain(outcome(value));
      }),
    );
  });
});
