import { readdir } from 'node:fs/promises';
import { withTempFolder } from '@ascend/disk/testing';
import { describe, expect, test } from 'vitest';
import { buildHive } from '../../testing/phonyWindows/index.ts';
import { editHive } from './editHive.ts';
import { openHive } from './hive.ts';
import { toRegFile } from './regFile.ts';
import type { RegistryEdit } from './registryEdit.ts';
import { readDword } from './registryValue.ts';
import { verifyRegistryEdits } from './verifyRegistryEdits.ts';

const reason = 'test';
const services = 'ControlSet001\\Services';
const bytes = buildHive({
  [`${services}\\storahci`]: {
    Start: { type: 'REG_DWORD', data: 3 },
    'Größe €': { type: 'REG_SZ', data: 'kept' },
  },
  [`${services}\\storahci\\StartOverride\\deep`]: { '0': { type: 'REG_DWORD', data: 3 } },
  'A (1) "b"': { 'x\\y "z"': { type: 'REG_DWORD', data: 1 } },
});

const edits: readonly RegistryEdit[] = [
  {
    kind: 'set-registry-value',
    hive: 'SYSTEM',
    key: `${services}\\storahci`,
    name: 'Start',
    value: { type: 'REG_DWORD', data: 0 },
    reason,
  },
  { kind: 'delete-registry-key', hive: 'SYSTEM', key: `${services}\\STORAHCI\\StartOverride`, reason },
  {
    kind: 'set-registry-value',
    hive: 'SYSTEM',
    key: 'New\\Key & more',
    name: '',
    value: { type: 'REG_MULTI_SZ', data: ['a', 'ü €'] },
    reason,
  },
  {
    kind: 'set-registry-value',
    hive: 'SYSTEM',
    key: 'New\\Key & more',
    name: 'q',
    value: { type: 'REG_QWORD', data: '0100000000000000' },
    reason,
  },
  { kind: 'delete-registry-value', hive: 'SYSTEM', key: 'A (1) "b"', name: 'x\\y "z"', reason },
  { kind: 'delete-registry-value', hive: 'SYSTEM', key: 'Not\\There', name: 'x', reason },
];

async function edit(own: readonly RegistryEdit[], of = bytes): Promise<Buffer> {
  return await withTempFolder(async (workDir) => {
    const { bytes: edited } = await editHive({
      bytes: of,
      edits: own,
      workDir,
      signal: AbortSignal.timeout(60_000),
    });
    expect(await readdir(workDir)).toStrictEqual([]);
    return edited;
  });
}

describe('editing a hive', () => {
  test('exactly the edits are made, the neighbours of a value stay, and making them again changes nothing', async () => {
    const once = await edit(edits);
    const hive = openHive(once);
    const key = hive.key(`${services}\\storahci`);
    expect(readDword(key, 'Start')).toBe(0);
    expect(key?.value('Größe €')?.data.toString('utf16le')).toBe('kept\0');
    expect(hive.key(`${services}\\storahci\\StartOverride`)).toBeNull();
    expect(hive.key('Not')).toBeNull();
    const twice = await edit(edits, once);
    expect(verifyRegistryEdits({ before: hive, after: openHive(twice), edits: [] })).toStrictEqual({
      problems: [],
      changes: [],
    });
    expect(readDword(openHive(bytes).key(`${services}\\storahci`), 'Start')).toBe(3);
  });

  test('a change nobody asked for and an edit that does not hold are both found', () => {
    const before = openHive(bytes);
    const own = edits.slice(0, 1);
    const foreign = openHive(
      buildHive({ [`${services}\\storahci`]: { Start: { type: 'REG_DWORD', data: 4 } }, Added: {} }),
    );
    const { problems } = verifyRegistryEdits({ before, after: foreign, edits: own });
    expect(problems.join('\n')).toContain('Start is not as planned');
    expect(problems.join('\n')).toContain('key-added Added');
    expect(problems.join('\n')).toContain('value-removed');
  });

  test.each([
    ['a line break', 'a\nb'],
    ['a bracket', 'a]b'],
    ['an empty part', 'a\\\\b'],
    ['other letters', 'ä'],
  ])('a key name with %s is refused', (_label, key) => {
    const own: RegistryEdit = { kind: 'delete-registry-key', hive: 'SYSTEM', key, reason };
    expect(() => toRegFile(openHive(bytes), [own])).toThrow('cannot be written');
  });

  test('a hive hivex cannot open is refused and nothing is left behind', async () => {
    const torn = Buffer.from(bytes);
    // The bin loses its signature: this reader does not need it, hivex does.
    torn.write('XXXX', 4096, 'latin1');
    await withTempFolder(async (workDir) => {
      const run = editHive({ bytes: torn, edits, workDir, signal: AbortSignal.timeout(60_000) });
      await expect(run).rejects.toMatchObject({ code: 'GUEST_EDIT_FAILED' });
      expect(await readdir(workDir)).toStrictEqual([]);
    });
  });
});
