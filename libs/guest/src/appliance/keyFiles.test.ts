import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@ascend/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keysOfFolder, readKeyFile, readKeyOption } from './keyFiles.ts';
import type { VolumeKey } from './unlock.ts';

const uuid = '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0105';
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-keys-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function keyFile(name: string, text: string, mode = 0o600): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

async function revealed(entry: VolumeKey | undefined): Promise<string | undefined> {
  const key = typeof entry?.key === 'function' ? await entry.key() : entry?.key;
  return key?.reveal();
}

describe('key files', () => {
  it('are one line, whose end is no part of the key', async () => {
    const file = await keyFile('a', "it's a key \n");
    expect((await readKeyFile(file)).reveal()).toBe("it's a key ");
  });

  it.each([
    ['empty', '', 0o600],
    ['two lines', 'a\nb\n', 0o600],
    ['bytes that are no text', 'a\0b', 0o600],
    ['readable by a group', 'key', 0o640],
    ['readable by all', 'key', 0o604],
    ['too large', 'k'.repeat(9000), 0o600],
  ])('are refused when they are %s', async (_, text, mode) => {
    const file = await keyFile('a', text, mode);
    await expect(readKeyFile(file)).rejects.toMatchObject({ code: 'GUEST_KEY_UNUSABLE' });
  });

  it('are refused when they are not there, with the path and nothing of a key in the message', async () => {
    const file = join(folder, 'gone');
    await expect(readKeyFile(file)).rejects.toMatchObject({
      code: 'GUEST_KEY_UNUSABLE',
      message: expect.stringContaining(file),
    });
  });

  it('are given for one volume or for any', async () => {
    const file = await keyFile('a=b', 'key');
    expect(await readKeyOption(file)).toEqual({ volume: null, key: expect.any(Secret) });
    const named = await readKeyOption(`${uuid.toUpperCase()}=${file}`);
    expect(named.volume).toBe(uuid);
    expect(await revealed(named)).toBe('key');
  });
});

describe('a folder of keys', () => {
  it('names volumes by its files, reads a file when its volume is opened and takes no notice of others', async () => {
    await keyFile(`${uuid}.key`, 'key\n');
    await keyFile('notes.txt', 'nothing', 0o644);
    const keys = await keysOfFolder(folder);
    expect(keys.map(({ volume }) => volume)).toEqual([uuid]);
    expect(await revealed(keys[0])).toBe('key');
  });

  it('does not let one bad file stand in the way of other volumes', async () => {
    await keyFile(`${uuid}.key`, 'key', 0o644);
    const [entry] = await keysOfFolder(folder);
    await expect(revealed(entry)).rejects.toMatchObject({ code: 'GUEST_KEY_UNUSABLE' });
  });

  it('is refused when others than its owner may enter it, or it is not there', async () => {
    const open = join(folder, 'open');
    await mkdir(open);
    await chmod(open, 0o755);
    for (const bad of [open, join(folder, 'gone')])
      await expect(keysOfFolder(bad)).rejects.toMatchObject({ code: 'GUEST_KEY_UNUSABLE' });
  });
});
