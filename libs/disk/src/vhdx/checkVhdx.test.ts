import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sinkParams } from '../testing/imageSinkTests.ts';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { checkVhdx } from './checkVhdx.ts';
import { sealStructure } from './crc32c.ts';
import { places } from './vhdxLayout.ts';
import { openVhdxSink } from './vhdxSink.ts';

const mib = 1024 ** 2;
const kib = 1024;
const batAt = places.batAt;
const itemsAt = places.metadataAt + 64 * kib;

/** A VHDX of 64 MiB in blocks of 1 MiB, of which 3, 10 and 40 have data. */
async function makeVhdx(folder: string): Promise<string> {
  const params = sinkParams(folder, 64 * mib, false);
  const { sink } = await openVhdxSink(params, { blockBytes: mib });
  for (const block of [3, 10, 40]) await sink.write(block * mib, Buffer.alloc(mib, block));
  await sink.finish();
  return params.finalPath;
}

async function patch(filePath: string, at: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(filePath, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
  await handle.close();
}

/** Changes a checksummed structure and makes its sum right again. */
async function patchSealed(
  filePath: string,
  at: number,
  length: number,
  change: (bytes: Buffer) => void,
): Promise<void> {
  const bytes = (await readFile(filePath)).subarray(at, at + length);
  change(bytes);
  await patch(filePath, at, sealStructure(bytes));
}

const patchTables = async (filePath: string, change: (bytes: Buffer) => void): Promise<void> => {
  for (const at of places.regionTables) await patchSealed(filePath, at, 64 * kib, change);
};

const patchHeaders = async (filePath: string, change: (bytes: Buffer) => void): Promise<void> => {
  for (const at of places.headers) await patchSealed(filePath, at, 4096, change);
};

interface Damage {
  readonly problem: RegExp;
  readonly damage: (filePath: string) => Promise<void>;
}

const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

const damages: Readonly<Record<string, Damage>> = {
  'a wrong signature': { problem: /file signature/, damage: (file) => patch(file, 0, Buffer.from('x')) },
  'a flipped bit in a header': {
    problem: /header at 65536: the checksum/,
    damage: (file) => patch(file, 64 * kib + 20, Buffer.from([1, 2])),
  },
  'no header at all': {
    problem: /header at 131072: the signature/,
    damage: async (file) => {
      for (const at of places.headers) await patch(file, at, Buffer.alloc(4096));
    },
  },
  'two different headers of one number': {
    problem: /they differ/,
    damage: async (file) => {
      await patchSealed(
        file,
        places.headers[1],
        4096,
        (bytes) => bytes.writeBigUInt64LE(1n, 8) && bytes.fill(7, 16, 20),
      );
    },
  },
  'a log to replay': {
    problem: /log must be replayed/,
    damage: (file) => patchHeaders(file, (bytes) => bytes.fill(1, 48, 64)),
  },
  'a log outside the file': {
    problem: /log: .*outside/,
    damage: (file) => patchHeaders(file, (bytes) => bytes.writeBigUInt64LE(BigInt(512 * mib), 72)),
  },
  'a log on the block table': {
    problem: /overlaps/,
    damage: (file) => patchHeaders(file, (bytes) => bytes.writeBigUInt64LE(BigInt(batAt), 72)),
  },
  'an unknown version': {
    problem: /version 2 /,
    damage: (file) => patchHeaders(file, (bytes) => bytes.writeUInt16LE(2, 66)),
  },
  'a flipped bit in a region table': {
    problem: /region table 2: the checksum/,
    damage: (file) => patch(file, 256 * kib + 100, Buffer.from([1])),
  },
  'different region tables': {
    problem: /region tables differ/,
    damage: (file) => patchSealed(file, 256 * kib, 64 * kib, (bytes) => bytes.fill(1, 1000, 1001)),
  },
  'too many regions': {
    problem: /2048 entries is impossible/,
    damage: (file) => patchTables(file, (bytes) => bytes.writeUInt32LE(2048, 8)),
  },
  'no block table': {
    problem: /no region of the block table/,
    damage: (file) => patchTables(file, (bytes) => bytes.fill(9, 16, 32) && bytes.writeUInt32LE(0, 44)),
  },
  'an unknown required region': {
    problem: /required and not known/,
    damage: (file) => patchTables(file, (bytes) => bytes.fill(9, 48, 64)),
  },
  'a region off its alignment': {
    problem: /no whole MiB/,
    damage: (file) => patchTables(file, (bytes) => bytes.writeBigUInt64LE(BigInt(batAt + 4096), 32)),
  },
  'a region at 2^63': {
    problem: /outside the file/,
    damage: (file) => patchTables(file, (bytes) => bytes.writeBigUInt64LE(2n ** 63n, 32)),
  },
  'no metadata table': {
    problem: /metadata table: the signature/,
    damage: (file) => patch(file, places.metadataAt, Buffer.alloc(8)),
  },
  'a missing item': {
    problem: /virtual disk size is missing/,
    damage: (file) => patch(file, places.metadataAt + 64, Buffer.alloc(16, 3)),
  },
  'an item outside its region': {
    problem: /lie outside their region/,
    damage: (file) => patch(file, places.metadataAt + 32 + 16, Buffer.from([0xff, 0xff, 0xff, 0xff])),
  },
  'items on each other': {
    problem: /overlaps the one before/,
    damage: (file) => patch(file, places.metadataAt + 64 + 16, Buffer.from([4, 0, 1, 0])),
  },
  'an item of a wrong length': {
    problem: /has 3 bytes instead of 8/,
    damage: (file) => patch(file, places.metadataAt + 32 + 20, Buffer.from([3])),
  },
  'a block size of 3 MiB': {
    problem: /block size 3145728/,
    damage: (file) => patch(file, itemsAt + 2, Buffer.from([0x30])),
  },
  'a parent': { problem: /has a parent/, damage: (file) => patch(file, itemsAt + 4, Buffer.from([2])) },
  'a size of 0': { problem: /virtual size 0 /, damage: (file) => patch(file, itemsAt + 8, u64(0n)) },
  'a size of 2^63': {
    problem: /virtual size 9223372036854775808/,
    damage: (file) => patch(file, itemsAt + 8, u64(2n ** 63n)),
  },
  'a table too short for the size': {
    problem: /does not hold/,
    damage: (file) => patch(file, itemsAt + 8, u64(BigInt(1024 ** 4))),
  },
  'a sector size of 520': {
    problem: /logical sector size 520/,
    damage: (file) => patch(file, itemsAt + 32, Buffer.from([8, 2])),
  },
  'a physical sector size of 1': {
    problem: /physical sector size/,
    damage: (file) => patch(file, itemsAt + 36, Buffer.from([1, 0])),
  },
  'a block on another': {
    problem: /block 10: .*overlaps/,
    damage: async (file) => patch(file, batAt + 80, (await readFile(file)).subarray(batAt + 24, batAt + 32)),
  },
  'a block on the metadata': {
    problem: /block 3: .*overlaps/,
    damage: (file) => patch(file, batAt + 24, u64(6n + (2n << 20n))),
  },
  'a block behind the file': {
    problem: /block 3: .*outside/,
    damage: (file) => patch(file, batAt + 24, u64(6n + (1n << 40n))),
  },
  'a block in the header section': {
    problem: /block 3: .*overlaps/,
    damage: (file) => patch(file, batAt + 24, u64(6n)),
  },
  'a partially present block': {
    problem: /state 7/,
    damage: (file) => patch(file, batAt + 24, u64(7n + (4n << 20n))),
  },
  'reserved bits in an entry': {
    problem: /block 3: reserved/,
    damage: async (file) => patch(file, batAt + 24, Buffer.from([6 + 8])),
  },
  'a cut end': {
    problem: /block \d+: .*outside/,
    damage: async (file) => truncate(file, (await stat(file)).size - 1),
  },
  'a cut in the metadata': { problem: /outside the file/, damage: (file) => truncate(file, 2 * mib + 100) },
  'a cut in the header section': {
    problem: /less than its header section/,
    damage: (file) => truncate(file, 100),
  },
  'nothing in it': { problem: /0 bytes/, damage: (file) => truncate(file, 0) },
};

describe('checkVhdx', () => {
  test.each(Object.entries(damages))('finds %s', async (_name, { problem, damage }) => {
    await withTempFolder(async (folder) => {
      const file = await makeVhdx(folder);
      expect((await checkVhdx(file)).problems).toEqual([]);
      await damage(file);
      expect((await checkVhdx(file)).problems.join('\n')).toMatch(problem);
    });
  });

  test('finds nothing in what qemu-img made and wrote', async () => {
    await withTempFolder(async (folder) => {
      const file = path.join(folder, 'q.vhdx');
      const writes = [
        { offsetBytes: 0, lengthBytes: 3 * mib, fill: 1 },
        { offsetBytes: 40 * mib, lengthBytes: mib, fill: 2 },
      ];
      await makeImage({ path: file, format: 'vhdx', sizeBytes: 64 * mib, options: 'block_size=2M', writes });
      expect(await checkVhdx(file)).toEqual({
        problems: [],
        virtualSizeBytes: 64 * mib,
        blockBytes: 2 * mib,
        allocatedBlocks: 3,
      });
    });
  });

  test('ends with a report for any bytes in its tables', async () => {
    await withTempFolder(async (folder) => {
      const file = await makeVhdx(folder);
      const whole = await readFile(file);
      const places = fc.oneof(
        fc.nat(80),
        fc.integer({ min: 64 * kib, max: 64 * kib + 80 }),
        fc.integer({ min: 2 * mib, max: 2 * mib + 200 }),
        fc.integer({ min: itemsAt, max: itemsAt + 40 }),
        fc.integer({ min: batAt, max: batAt + 512 }),
      );
      const edits = fc.array(fc.tuple(places, fc.uint8Array({ minLength: 1, maxLength: 8 })), {
        minLength: 1,
        maxLength: 4,
      });
      await fc.assert(
        fc.asyncProperty(edits, fc.option(fc.nat(8 * mib)), async (changes, end) => {
          const bytes = Buffer.from(whole.subarray(0, end ?? whole.length));
          for (const [at, change] of changes)
            bytes.set(change.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
          const broken = path.join(folder, 'broken');
          await writeFile(broken, bytes);
          expect((await checkVhdx(broken)).problems.length).toBeLessThanOrEqual(20);
        }),
        { numRuns: 25 },
      );
    });
  });

  test('a missing file and a folder are coded errors', async () => {
    await withTempFolder(async (folder) => {
      await expect(checkVhdx(path.join(folder, 'none'))).rejects.toMatchObject({ code: 'DISK_FILE_MISSING' });
      await expect(checkVhdx(folder)).rejects.toMatchObject({ code: 'DISK_FILE_NOT_REGULAR' });
    });
  });
});
