import { expect, test } from 'vitest';
import type { ByteReader } from './imageHeader.ts';
import { readVmdkSparseLayout } from './vmdkLayout.ts';

const sectorsPerTable = 512 * 128;

function readerOf(bytes: Buffer): ByteReader {
  return {
    label: 'disk.vmdk',
    sizeBytes: bytes.length,
    readAt: async (at, length) => await Promise.resolve(bytes.subarray(at, at + length)),
  };
}

interface Header {
  readonly magic?: string;
  readonly capacity?: bigint;
  readonly grain?: bigint;
  readonly grainsPerTable?: number;
  readonly directory?: bigint;
  readonly algorithm?: number;
}

function headerOf(header: Header): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(header.magic ?? 'KDMV', 0, 'latin1');
  bytes.writeUInt32LE(0x3_0005, 8);
  bytes.writeBigUInt64LE(header.capacity ?? BigInt(1024 * sectorsPerTable), 12);
  bytes.writeBigUInt64LE(header.grain ?? 128n, 20);
  bytes.writeUInt32LE(header.grainsPerTable ?? 512, 44);
  bytes.writeBigUInt64LE(header.directory ?? 1n, 56);
  bytes.writeUInt16LE(header.algorithm ?? 1, 77);
  return bytes;
}

test('the layout tells sizes, directory and flags', async () => {
  const file = Buffer.concat([headerOf({}), Buffer.alloc(8192)]);
  expect(await readVmdkSparseLayout(readerOf(file))).toEqual({
    virtualSizeBytes: 32 * 2 ** 30,
    grainBytes: 65_536,
    grainsPerTable: 512,
    directory: { offsetBytes: 512, lengthBytes: 4096 },
    hasZeroGrains: true,
    compressed: true,
  });
});

test('the footer of a stream counts, in the last sector but one', async () => {
  const head = headerOf({ directory: 0xffff_ffff_ffff_ffffn });
  const file = Buffer.concat([head, Buffer.alloc(8192), headerOf({ directory: 2n }), Buffer.alloc(512)]);
  expect((await readVmdkSparseLayout(readerOf(file))).directory.offsetBytes).toBe(1024);
});

const refused: readonly (readonly [string, Header, string])[] = [
  ['another magic', { magic: 'COWD' }, 'DISK_FORMAT_MISMATCH'],
  ['a capacity of 0', { capacity: 0n }, 'DISK_HEADER_INVALID'],
  ['a capacity of 2^63 sectors', { capacity: 2n ** 63n }, 'DISK_HEADER_INVALID'],
  ['grains of 0 sectors', { grain: 0n }, 'DISK_HEADER_INVALID'],
  ['grains of 2 GiB', { grain: 0x40_0000n }, 'DISK_HEADER_INVALID'],
  ['tables without grains', { grainsPerTable: 0 }, 'DISK_HEADER_INVALID'],
  ['tables of more grains than a sector quad holds', { grainsPerTable: 513 }, 'DISK_HEADER_INVALID'],
  ['a compression that contradicts the flags', { algorithm: 0 }, 'DISK_HEADER_INVALID'],
  ['a directory at 0', { directory: 0n }, 'DISK_HEADER_INVALID'],
  [
    'a directory of 2^40 entries',
    { capacity: 2n ** 40n, grain: 1n, grainsPerTable: 1 },
    'DISK_HEADER_INVALID',
  ],
  ['a directory behind the end of the file', { directory: 16n }, 'DISK_IMAGE_TRUNCATED'],
  [
    'a reference to a footer that is not there',
    { directory: 0xffff_ffff_ffff_ffffn },
    'DISK_IMAGE_TRUNCATED',
  ],
];

test.each(refused)('%s is refused', async (_, header, code) => {
  const file = Buffer.concat([headerOf(header), Buffer.alloc(8192)]);
  await expect(readVmdkSparseLayout(readerOf(file))).rejects.toMatchObject({ code });
});

test('a directory that names more tables than the file can hold is refused', async () => {
  const file = Buffer.concat([headerOf({}), Buffer.alloc(4096, 1), Buffer.alloc(64 * 1024)]);
  await expect(readVmdkSparseLayout(readerOf(file))).rejects.toMatchObject({ code: 'DISK_IMAGE_CORRUPT' });
});
