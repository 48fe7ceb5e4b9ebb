import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../byteSource.ts';
import { putMdSuperblock, type MdSuperblockOptions } from '../../testing/mdSuperblock.ts';
import { readLayout } from '../volumeFacts.ts';
import { readMdMember } from './superblock.ts';

const mib = 1024 * 1024;
const kib64 = 64 * 1024;
const memberBytes = 3 * mib;

/** A member whose data areas count 64 KiB blocks from `first`. */
function member(options: MdSuperblockOptions, first = 0, sizeBytes = memberBytes): Buffer {
  const volume = Buffer.alloc(sizeBytes);
  const start = options.format === '1.0' || options.format === '0.90' ? 0 : mib;
  for (let at = start; at < sizeBytes; at += kib64) volume.fill(first + (at - start) / kib64, at, at + kib64);
  if (start > 0) volume.fill(0, 0, start);
  putMdSuperblock(volume, options);
  return volume;
}

/** The array on table-less disks, and the number in its first 64 KiB blocks. */
async function arrayOf(members: readonly Buffer[], blocks = 6) {
  const disks = members.map((bytes, diskIndex) => ({ diskIndex, source: memorySource(bytes) }));
  const layout = await readLayout(disks);
  const index = layout.volumes.findIndex((volume) => volume.name !== undefined);
  const source = layout.sources[index] ?? null;
  const numbers: number[] = [];
  for (let block = 0; block < (source === null ? 0 : blocks); block += 1) {
    numbers.push((await source?.read(block * kib64, 1))?.readUInt8(0) ?? -1);
  }
  return { facts: layout.volumes[index], numbers, contents: layout.volumes.map(({ content }) => content) };
}

const formats = ['1.0', '1.1', '1.2', '0.90'] as const;

describe('readMdMember', () => {
  it.each(formats)('reads version %s as mdadm reads the same bytes', async (format) => {
    const folder = await mkdtemp(join(tmpdir(), 'ascend-md-'));
    try {
      const bytes = member({ format, level: 1, members: 2, role: 1 });
      await writeFile(join(folder, 'member'), bytes);
      const args = ['--examine', join(folder, 'member')];
      const { stdout } = await runProcess({ program: 'mdadm', args });
      const said = (key: string): string => new RegExp(`${key} : (.*)`).exec(stdout)?.[1]?.trim() ?? '';
      const own = await readMdMember(memorySource(bytes));
      expect(said('Raid Level')).toBe('raid1');
      expect(said('Checksum')).toMatch(/correct$/);
      expect(Number(said('Raid Devices'))).toBe(own?.memberCount);
      expect(said('UUID').split(' ')[0]?.replaceAll(':', '')).toBe(own?.setUuid.replaceAll(/[:-]/g, ''));
      expect(own).toMatchObject({ format, level: 1, role: 1, events: 1n, name: '0' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('stays inside the volume for any bytes behind the magic number', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 8192, maxLength: 16384 }), async (bytes) => {
        const volume = Buffer.from(bytes);
        volume.writeUInt32LE(0xa92b4efc, 4096);
        volume.writeUInt32LE(1, 4100);
        const own = await readMdMember(memorySource(volume));
        expect((own?.dataOffsetBytes ?? 0) + (own?.dataBytes ?? 0)).toBeLessThanOrEqual(volume.length);
      }),
    );
  });
});

describe('readLayout on software RAID', () => {
  it.each(formats)('reads RAID 1 of version %s from the member with the latest history', async (format) => {
    const old = member({ format, level: 1, members: 2, role: 0, events: 3 }, 100);
    const fresh = member({ format, level: 1, members: 2, role: 1, events: 4 });
    const { facts, numbers, contents } = await arrayOf([old, fresh]);
    expect(numbers).toEqual([0, 1, 2, 3, 4, 5]);
    expect(facts).toMatchObject({ name: 'md0', diskIndex: 1 });
    expect(contents.slice(0, 2)).toEqual(['mdraid', 'mdraid']);
  });

  it('reads RAID 0 and linear arrays, whatever the order of the disks', async () => {
    const striped = { format: '1.2', level: 0, members: 2, chunkBytes: kib64 } as const;
    const zero = await arrayOf([member({ ...striped, role: 1 }, 100), member({ ...striped, role: 0 })]);
    expect(zero.numbers).toEqual([0, 100, 1, 101, 2, 102]);
    const joined = { format: '1.2', level: -1, members: 2 } as const;
    const short = member({ ...joined, role: 0 }, 0, mib + 2 * kib64);
    const linear = await arrayOf([member({ ...joined, role: 1 }, 100), short]);
    expect(linear.numbers).toEqual([0, 1, 100, 101, 102, 103]);
  });

  it.each([
    [5, 2, memberBytes, 'software RAID 5'],
    [0, 3, memberBytes, 'software RAID 0 of 3 members, 2 of them on the disks'],
    [0, 2, memberBytes + mib, 'software RAID 0 of 2 members of different length'],
  ])('names what it cannot put together: level %i of %i members', async (level, members, last, reason) => {
    const each = { format: '1.2', level, members, chunkBytes: kib64, name: 'host:data' } as const;
    const { facts } = await arrayOf([member({ ...each, role: 0 }), member({ ...each, role: 1 }, 0, last)]);
    expect(facts).toMatchObject({
      name: 'md/data',
      segments: [],
      requires: 'appliance',
      requiresReason: reason,
    });
  });
});
