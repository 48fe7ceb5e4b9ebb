import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource, openFileSource } from '../byteSource.ts';
import { readPartitionTable, type PartitionTable } from './partitionTable.ts';

const mib = 1024 * 1024;

async function tableOf(script: string, sizeBytes = 64 * mib): Promise<PartitionTable> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-table-'));
  try {
    const path = join(folder, 'disk.raw');
    const file = await open(path, 'w');
    await file.truncate(sizeBytes);
    await file.close();
    await runProcess({ program: 'sfdisk', args: ['--quiet', path], input: script });
    const source = await openFileSource(path);
    try {
      return await readPartitionTable(source);
    } finally {
      await source.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('readPartitionTable', () => {
  it('reads primary and logical MBR partitions with the numbers Linux gives them', async () => {
    const table = await tableOf(
      [
        'label: dos',
        'label-id: 0x0badcafe',
        'start=2048, size=8192, type=83, bootable',
        'start=10240, size=81920, type=5',
        'start=12288, size=4096, type=82',
        'start=20480, size=8192, type=83',
        '',
      ].join('\n'),
    );
    expect(table).toEqual({
      scheme: 'mbr',
      partitions: [
        { number: 1, offsetBytes: 2048 * 512, sizeBytes: 8192 * 512, type: '83', uuid: '0badcafe-01' },
        { number: 5, offsetBytes: 12288 * 512, sizeBytes: 4096 * 512, type: '82', uuid: '0badcafe-05' },
        { number: 6, offsetBytes: 20480 * 512, sizeBytes: 8192 * 512, type: '83', uuid: '0badcafe-06' },
      ],
    });
  });

  it('reads GPT partitions with their type GUIDs', async () => {
    const esp = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
    const uuid = '01234567-89AB-CDEF-0123-456789ABCDEF';
    const first = `start=2048, size=8192, type=${esp}, uuid=${uuid}`;
    const table = await tableOf(`label: gpt\n${first}\nstart=10240, size=16384\n`);
    expect(table.partitions[0]?.uuid).toBe(uuid.toLowerCase());
    expect(table.scheme).toBe('gpt');
    expect(
      table.partitions.map((part) => [part.number, part.offsetBytes, part.sizeBytes, part.type]),
    ).toEqual([
      [1, mib, 4 * mib, esp.toLowerCase()],
      [2, 5 * mib, 8 * mib, '0fc63daf-8483-4772-8e79-3d69d8477de4'],
    ]);
  });

  it('sees no table on an empty disk or a disk shorter than a sector', async () => {
    const none = { scheme: 'none', partitions: [] };
    expect(await readPartitionTable(memorySource(Buffer.alloc(mib)))).toEqual(none);
    expect(await readPartitionTable(memorySource(Buffer.alloc(100)))).toEqual(none);
  });

  it('ends on a loop of extended records', async () => {
    const disk = Buffer.alloc(mib);
    disk.writeUInt16LE(0xaa55, 510);
    disk.writeUInt8(0x05, 446 + 4);
    disk.writeUInt32LE(8, 446 + 8);
    disk.writeUInt32LE(100, 446 + 12);
    const record = 8 * 512;
    disk.writeUInt16LE(0xaa55, record + 510);
    disk.writeUInt8(0x83, record + 446 + 4);
    disk.writeUInt32LE(1, record + 446 + 8);
    disk.writeUInt32LE(4, record + 446 + 12);
    disk.writeUInt8(0x05, record + 462 + 4);
    const table = await readPartitionTable(memorySource(disk));
    expect(table.partitions.map((part) => part.number)).toEqual([5]);
  });

  it('stays on the disk and comes to an end for any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1024, maxLength: 8192 }), async (bytes) => {
        const disk = Buffer.from(bytes);
        disk.writeUInt16LE(0xaa55, 510);
        const { partitions } = await readPartitionTable(memorySource(disk));
        for (const part of partitions) {
          expect(part.offsetBytes).toBeGreaterThan(0);
          expect(part.offsetBytes + part.sizeBytes).toBeLessThanOrEqual(disk.length);
        }
      }),
    );
  });
});
