import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSecretReference, readSetting, type Setting } from './environment.ts';

const port: Setting<number> = {
  name: 'PORT',
  about: 'a number',
  fallback: 7,
  parse: (text) => {
    if (!/^\d+$/.test(text)) throw new Error('no');
    return Number(text);
  },
};

it('reads a setting, falls back, and names what is wrong', () => {
  expect(readSetting({ PORT: '8' }, port)).toBe(8);
  expect(readSetting({}, port)).toBe(7);
  expect(() => readSetting({ PORT: 'x' }, port)).toThrow('read setting PORT: value is not usable (a number)');
  const { fallback: _, ...required } = port;
  expect(() => readSetting({}, required)).toThrow('read setting PORT: not set (a number)');
});

it('resolves secrets from environment and file, and refuses anything else', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ascend-secret-'));
  try {
    writeFileSync(join(dir, 's'), 'value\n');
    expect(readSecretReference(`file:${join(dir, 's')}`, {}).reveal()).toBe('value');
    expect(readSecretReference('env:A', { A: 'b' }).reveal()).toBe('b');
    expect(() => readSecretReference('env:A', {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
    expect(() => readSecretReference('file:/no/such', {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
    expect(() => readSecretReference('plain text secret', {})).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('text secret') }),
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});
