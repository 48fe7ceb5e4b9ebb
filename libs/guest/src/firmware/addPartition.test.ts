import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource, openFileSource } from '../byteSource.ts';
import { readPartitionTable } from '../volumes/partitionTable.ts';
import { readTableSpace } from '../volumes/tableSpace.ts';
import { addPartition, type DiskWrite, type NewPartition } from './addPartition.ts';
import { biosSectors } from './biosSectors.ts';

const mib = 1024 * 1024;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-table-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function makeDisk(name: string, table: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, '');
  await truncate(path, 16 * mib);
  await runProcess({ program: 'sfdisk', args: ['--quiet', path], input: `${table.join('\n')}\n` });
  return path;
}

async function spaceOf(path: string) {
  const source = await openFileSource(path);
  try {
    return await readTableSpace(source, await readPartitionTable(source));
  } finally {
    await source.close();
  }
}

async function write(path: string, writes: readonly DiskWrite[]): Promise<void> {
  const file = await open(path, 'r+');
  for (const { bytes, offsetBytes } of writes) await file.write(bytes, 0, bytes.length, offsetBytes);
  await file.close();
}

async function add(path: string, added: NewPartition): Promise<void> {
  const source = await openFileSource(path);
  try {
    await write(path, await addPartition(source, added));
  } finally {
    await source.close();
  }
}

/** The table as sfdisk sees it: another program than the one that wrote it. */
async function asSfdisk(path: string) {
  const { stdout } = await runProcess({ program: 'sfdisk', args: ['--dump', path] });
  const line = /^(\S+) : start= *(\d+), size= *(\d+), type=([\w-]+)(?:, uuid=([\w-]+))?/;
  return stdout.split('\n').flatMap((text) => {
    const [, node, start, size, type, uuid] = line.exec(text) ?? [];
    return node === undefined ? [] : [{ node, start: Number(start), size: Number(size), type, uuid }];
  });
}

const linux = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
const gptTable = [
  'label: gpt',
  `start=2048, size=8192, type=${linux}`,
  `start=12288, size=2048, type=${linux}`,
];
const esp = { area: { firstSector: 10_240, sectors: 2048 }, firmware: 'uefi' } as const;

describe('free space of a disk', () => {
  it('is told for a GPT, between its partitions and up to its second table', async () => {
    expect(await spaceOf(await makeDisk('space.gpt', gptTable))).toEqual({
      scheme: 'gpt',
      freeAreas: [
        { firstSector: 34, sectors: 2014 },
        { firstSector: 10_240, sectors: 2048 },
        { firstSector: 14_336, sectors: 32_768 - 33 - 14_336 },
      ],
      freeNumber: 3,
      biosBoot: null,
      obstacle: null,
    });
  });

  it('is told for an MBR, where an extended partition takes all that is in it', async () => {
    const table = [
      'label: dos',
      'start=2048, size=2048, type=83',
      'start=8192, size=8192, type=5',
      'start=10240, size=2048',
    ];
    expect(await spaceOf(await makeDisk('space.mbr', table))).toMatchObject({
      scheme: 'mbr',
      freeAreas: [
        { firstSector: 1, sectors: 2047 },
        { firstSector: 4096, sectors: 4096 },
        { firstSector: 16_384, sectors: 16_384 },
      ],
      freeNumber: 3,
    });
  });

  it('is none where a copy of the table is damaged', async () => {
    const second = await makeDisk('second.gpt', gptTable);
    await write(second, [{ offsetBytes: 16 * mib - 512 + 60, bytes: Buffer.from([1]) }]);
    expect(await spaceOf(second)).toMatchObject({
      freeAreas: [],
      freeNumber: null,
      obstacle: expect.stringContaining('second'),
    });
    const first = await makeDisk('first.gpt', gptTable);
    await write(first, [{ offsetBytes: 1024 + 130, bytes: Buffer.from([1]) }]);
    expect(await spaceOf(first)).toMatchObject({
      freeAreas: [],
      obstacle: expect.stringContaining('damaged'),
    });
  });
});

describe('a partition that is added', () => {
  it.each([
    ['gpt', gptTable, 3, 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B'],
    ['mbr', ['label: dos', 'start=2048, size=8192, type=83'], 2, 'ef'],
  ] as const)(
    'to a table of kind %s is whole in the eyes of sfdisk, and the others are as before',
    async (scheme, table, number, type) => {
      const path = await makeDisk(`added.${scheme}`, table);
      const before = await asSfdisk(path);
      await add(path, { ...esp, number, scheme });
      const after = await asSfdisk(path);
      expect(after.filter(({ start }) => start !== 10_240)).toEqual(before);
      expect(after.find(({ start }) => start === 10_240)).toMatchObject({
        node: `${path}${number}`,
        size: 2048,
        type,
      });
      await runProcess({ program: 'sfdisk', args: ['--verify', path] });
      await expect(add(path, { ...esp, number, scheme })).rejects.toMatchObject({
        code: 'GUEST_EDIT_FAILED',
      });
    },
  );

  it('gets a GUID of its own', async () => {
    const path = await makeDisk('guid.gpt', gptTable);
    await add(path, { ...esp, number: 3, scheme: 'gpt' });
    const uuids = (await asSfdisk(path)).map(({ uuid }) => uuid);
    expect(new Set(uuids).size).toBe(3);
  });

  it('is refused by a table that is not whole', async () => {
    const source = memorySource(Buffer.alloc(mib));
    await expect(addPartition(source, { ...esp, number: 1, scheme: 'gpt' })).rejects.toMatchObject({
      code: 'GUEST_EDIT_FAILED',
    });
  });
});

describe('the sectors of a BIOS boot loader', () => {
  const loader = { image: Buffer.alloc(1300, 7), bootSector: Buffer.alloc(512, 9) };

  it('name the place of the core image, and leave signature and table of the disk alone', () => {
    const { bootCode, core } = biosSectors(loader, { firstSector: 34, sectors: 3 });
    expect(bootCode.length).toBe(440);
    expect(bootCode.readBigUInt64LE(0x5c)).toBe(34n);
    expect(core.readBigUInt64LE(0x1f4)).toBe(35n);
    expect(core.length).toBe(1536);
  });

  it('are refused where they do not fit', () => {
    expect(() => biosSectors(loader, { firstSector: 34, sectors: 2 })).toThrow('do not fit into 2 sectors');
  });
});
