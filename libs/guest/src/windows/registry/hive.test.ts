import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildHive, type HiveTree } from '../../testing/phonyWindows/index.ts';
import { hiveCells } from './hiveCells.ts';
import { openHive, walkHive } from './hive.ts';
import { readDword, readText, readTexts } from './registryValue.ts';

const tree: HiveTree = {
  Select: { Current: { type: 'REG_DWORD', data: 1 } },
  'ControlSet001\\Services\\viostor': {
    '': { type: 'REG_SZ', data: 'default' },
    Start: { type: 'REG_DWORD', data: 3 },
    ImagePath: { type: 'REG_EXPAND_SZ', data: 'System32\\drivers\\viostor.sys' },
    List: { type: 'REG_MULTI_SZ', data: ['one', 'zwei €'] },
  },
  'Größe €\\sub': { naïve: { type: 'REG_BINARY', data: 'ab'.repeat(40_000) } },
};

/** Reads everything that can be read. */
function readAll(bytes: Buffer): number {
  let seen = 0;
  for (const { key } of walkHive(openHive(bytes))) {
    for (const value of key.values()) seen += value.data.length + value.name.length;
  }
  return seen;
}

/** `read`, or the code of the refusal; anything else that is thrown goes on. */
function outcome(bytes: Buffer): string {
  try {
    readAll(bytes);
    return 'read';
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    return cause.code;
  }
}

describe('hive reader', () => {
  test('finds keys and values without regard to case, typed, and nothing that is not there', () => {
    const hive = openHive(buildHive(tree));
    const key = hive.key('CONTROLSET001\\services\\VioStor');
    expect(key?.name).toBe('viostor');
    expect(readDword(key, 'start')).toBe(3);
    expect(readText(key, '')).toBe('default');
    expect(readTexts(key, 'List')).toStrictEqual(['one', 'zwei €']);
    expect(hive.key('Größe €\\SUB')?.value('NAÏVE')?.data).toHaveLength(40_000);
    expect(hive.key('ControlSet001\\nothing\\below')).toBeNull();
    expect([readDword(key, 'ImagePath'), readText(key, 'Start'), readTexts(key, 'none')]).toStrictEqual([
      null,
      null,
      [],
    ]);
  });

  test('sees the same keys and values as hivex does', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ascend-hive-'));
    try {
      await writeFile(join(folder, 'hive'), buildHive(tree));
      const { stdout } = await runProcess({
        program: 'hivexregedit',
        args: ['--export', join(folder, 'hive'), '\\'],
      });
      const keys = [...stdout.matchAll(/^\[\\(.*)\]$/gm)].map((match) => match[1] ?? '');
      const own = [...walkHive(openHive(buildHive(tree)))].map((place) => place.path);
      expect(new Set(own)).toStrictEqual(new Set(keys));
      expect(stdout).toContain('"Start"=dword:00000003');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('any damage of a hive is read or refused as damage, never anything else', () => {
    const whole = buildHive(tree);
    const mutation = fc.record({
      at: fc.nat({ max: 4096 + 1600 }),
      byte: fc.nat({ max: 255 }),
      width: fc.constantFrom(1, 4),
    });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 12 }), fc.nat(), (mutations, cut) => {
        const bytes = Buffer.from(whole);
        for (const { at, byte, width } of mutations) bytes.fill(byte, at, at + width);
        const damaged = cut % 5 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
        expect(outcome(damaged)).toMatch(/^(read|GUEST_HIVE_CORRUPT)$/);
      }),
      { numRuns: 400 },
    );
  });

  test('lists that repeat themselves and data that shares its segments are refused before memory is gone', () => {
    const bytes = buildHive({ a: {}, Data: { big: { type: 'REG_BINARY', data: '00'.repeat(40_000) } } });
    const { header, root } = openHive(bytes);
    const list = 4096 + bytes.readUInt32LE(4096 + header.rootOffset + 4 + 28) + 4;
    const child = bytes.readUInt32LE(list + 4);
    // An index root whose 1000 parts are one list of 1000 keys, both in the cell of the data.
    const data = root.subkey('Data')?.value('big')?.data ?? Buffer.alloc(0);
    expect(data).toHaveLength(40_000);
    const segment = bytes.indexOf(Buffer.alloc(16_000), 4096) - 4096;
    const at = Math.ceil(segment / 8) * 8 + 64;
    const put = (place: number, signature: string, offset: number): void => {
      bytes.writeInt32LE(-4008, 4096 + place);
      bytes.write(signature, 4096 + place + 4, 'latin1');
      bytes.writeUInt16LE(1000, 4096 + place + 6);
      for (let index = 0; index < 1000; index += 1) bytes.writeUInt32LE(offset, 4096 + place + 8 + index * 4);
    };
    put(at, 'ri', at + 4096);
    put(at + 4096, 'li', child);
    bytes.writeUInt32LE(at, 4096 + header.rootOffset + 4 + 28);
    expect(() => openHive(bytes).root.subkeys()).toThrow('subkeys in one list');
    const cells = hiveCells(bytes, header.binsBytes);
    expect(() => {
      for (let round = 0; round < 4; round += 1) cells.spend(32 * 1024 * 1024);
    }).toThrow('bytes of data in');
  });

  test('a key below itself and a hive without its end are refused', () => {
    const bytes = buildHive({ a: {} });
    const hive = openHive(bytes);
    // The only subkey of the root becomes the root itself: lh list, first offset.
    const list = bytes.readUInt32LE(4096 + hive.header.rootOffset + 4 + 28);
    bytes.writeUInt32LE(hive.header.rootOffset, 4096 + list + 4 + 4);
    expect(() => readAll(bytes)).toThrow('is there twice');
    expect(() => openHive(bytes.subarray(0, 6000))).toThrow('bytes of bins');
    expect(() => openHive(Buffer.from('regf'))).toThrow('no base block');
  });
});
