import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { memorySource, openFileSource } from '../byteSource.ts';
import { readVolumeContent, type VolumeContent } from './volumeContent.ts';

async function contentAfter(
  command: readonly string[],
  sizeMib = 64,
  input?: string,
): Promise<VolumeContent> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-content-'));
  try {
    const path = join(folder, 'volume.raw');
    const file = await open(path, 'w');
    await file.truncate(sizeMib * 1024 * 1024);
    await file.close();
    const [program = '', ...args] = command;
    const more = input === undefined ? {} : { input };
    await runProcess({ program, args: [...args, path], ...more });
    const source = await openFileSource(path);
    try {
      return await readVolumeContent(source);
    } finally {
      await source.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

const uuid = '0a0b0c0d-1111-2222-3333-444455556666';

function volumeWith(at: number, text: string): Buffer {
  const bytes = Buffer.alloc(128 * 1024);
  bytes.write(text, at, 'latin1');
  return bytes;
}

describe('readVolumeContent', () => {
  it.each([
    [['mke2fs', '-q', '-t', 'ext4', '-U', uuid, '-L', 'root'], { content: 'ext4', uuid, label: 'root' }],
    [['mke2fs', '-q', '-t', 'ext3', '-U', uuid], { content: 'ext3', uuid, label: null }],
    [['mke2fs', '-q', '-t', 'ext2', '-U', uuid], { content: 'ext2', uuid, label: null }],
    [['mkswap', '-q', '-U', uuid, '-L', 'swap'], { content: 'swap', uuid, label: 'swap' }],
    [
      ['mformat', '-F', '-N', '1A2B3C4D', '-v', 'EFI', '-i'],
      { content: 'vfat', uuid: '1A2B-3C4D', label: 'EFI' },
    ],
  ] as const)('knows what %j made', async (command, expected) => {
    const args =
      command[0] === 'mformat'
        ? ['mformat', '-T', '131072', '-h', '16', '-s', '32', '-c', '1', ...command.slice(1)]
        : command;
    expect(await contentAfter(args)).toEqual(expected);
  });

  it.each([
    [['mkfs.xfs', '-q', '-m', `uuid=${uuid}`, '-L', 'data'], { content: 'xfs', uuid, label: 'data' }],
    [['mkfs.btrfs', '-q', '-U', uuid, '-L', 'data'], { content: 'btrfs', uuid, label: 'data' }],
  ] as const)('knows what %j made', async (command, expected) => {
    expect(await contentAfter(command, 320)).toEqual(expected);
  });

  it.each([
    ['luks1', [], null, 'LUKS version 1 encryption'],
    ['luks2', ['--label', 'secret'], 'secret', 'LUKS version 2 encryption'],
  ] as const)('reads the header of %s', async (type, more, label, obstacle) => {
    const cheap = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--key-file', '-'];
    const command = ['cryptsetup', '-q', 'luksFormat', '--type', type, ...cheap, '--uuid', uuid, ...more];
    expect(await contentAfter(command, 64, 'password')).toEqual({ content: 'luks', uuid, label, obstacle });
  });

  it('counts the devices of a btrfs', async () => {
    const bytes = volumeWith(0x10040, '_BHRfS_M');
    bytes.writeBigUInt64LE(2n, 0x10088);
    const { obstacle } = await readVolumeContent(memorySource(bytes));
    expect(obstacle).toBe('the file system spans 2 devices');
  });

  it.each([
    [0, 'LUKS\xba\xbe', 'luks'],
    [3, '-FVE-FS-', 'bitlocker'],
    [512, 'LABELONE', 'lvm2'],
    [0, 'XFSB', 'xfs'],
    [3, 'NTFS    ', 'ntfs'],
    [0x10040, '_BHRfS_M', 'btrfs'],
    [4096, '\xfc\x4e\x2b\xa9', 'mdraid'],
    [100, 'nothing', 'unknown'],
  ])('knows magic bytes at %i: %s', async (at, magic, content) => {
    expect((await readVolumeContent(memorySource(volumeWith(at, magic)))).content).toBe(content);
  });

  it('does not throw for a volume of a few bytes', async () => {
    expect((await readVolumeContent(memorySource(Buffer.from('abc')))).content).toBe('unknown');
  });
});
