import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { batIndexes, blockStates, decodeBat, encodeBat, readBatEntry } from './bat.ts';
import { crc32c } from './crc32c.ts';
import { guidBytes } from './guid.ts';
import { places, vhdxLayout, type VhdxLayout } from './vhdxLayout.ts';
import { buildHeader, buildMetadata, buildRegionTable } from './vhdxTables.ts';

const mib = 1024 ** 2;
const gib = 1024 * mib;

function layoutOf(sizeBytes: number, blockBytes: number, logicalSectorBytes: 512 | 4096 = 512): VhdxLayout {
  return vhdxLayout({ sizeBytes, blockBytes, logicalSectorBytes, physicalSectorBytes: 4096 });
}

test.each([
  // RFC 3720, appendix B.4.
  { name: '32 zeros', bytes: Buffer.alloc(32), sum: 0x8a91_36aa },
  { name: '32 bytes of ones', bytes: Buffer.alloc(32, 0xff), sum: 0x62a8_ab43 },
  { name: 'the digits', bytes: Buffer.from('123456789'), sum: 0xe306_9283 },
])('CRC-32C of $name', ({ bytes, sum }) => {
  expect(crc32c(bytes)).toBe(sum);
});

test('a GUID has its first three groups little-endian in a file', () => {
  expect(guidBytes('2DC27766-F623-4200-9D64-115E9BFD4A08').toString('hex')).toBe(
    '6677c22d23f600429d64115e9bfd4a08',
  );
});

/** Identity and length of both regions. */
const regions = (bytes: Buffer): string[] =>
  [16, 48]
    .map((at) => bytes.toString('hex', at, at + 16) + bytes.toString('hex', at + 24, at + 28))
    .toSorted();

/** Identity, length, flags and, where it is not free, content of every metadata item. */
const items = (bytes: Buffer): string[] =>
  Array.from({ length: bytes.readUInt16LE(10) }, (_, index) => {
    const at = 32 + index * 32;
    const value = bytes.readUInt32LE(at + 16);
    const length = bytes.readUInt32LE(at + 20);
    const isFree = length === 16 || bytes.toString('hex', at, at + 4) === 'c748a3cd';
    const content = isFree ? 'any' : bytes.toString('hex', value, value + length);
    return `${bytes.toString('hex', at, at + 16)} ${length} ${bytes.readUInt32LE(at + 24)} ${content}`;
  }).toSorted();

test('header, region table and metadata have the fields that qemu-img writes, apart from places and identities', async () => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'q.vhdx');
    await makeImage({ path: file, format: 'vhdx', sizeBytes: 64 * mib, options: 'block_size=2M' });
    const whole = await readFile(file);
    const read = (at: number, length: number): Buffer => whole.subarray(at, at + length);
    // QEMU leaves the flag `Required` of the regions at 0; the specification (2.2.3.2) has it set.
    const header = read(places.headers[0], 80);
    const ours = buildHeader(1, { fileWrite: Buffer.alloc(16), dataWrite: Buffer.alloc(16) });
    expect(ours.subarray(48, 80).equals(header.subarray(48))).toBe(true);
    const layout = layoutOf(64 * mib, 2 * mib);
    const table = read(places.regionTables[0], 80);
    expect(regions(buildRegionTable(layout))).toEqual(regions(table));
    const metadataEntry = [16, 48].find((at) => table.toString('latin1', at, at + 1) === '\x06') ?? 0;
    const metadata = read(Number(table.readBigUInt64LE(metadataEntry + 16)), mib);
    expect(items(buildMetadata(layout))).toEqual(items(metadata));
  });
});

describe('block table', () => {
  const shape = fc.record({
    sizeBytes: fc.integer({ min: 1, max: 2 ** 27 }).map((sectors) => sectors * 4096),
    blockMiB: fc.constantFrom(32, 64, 128, 256),
    sector: fc.constantFrom<(512 | 4096)[]>(512, 4096),
    seed: fc.array(fc.tuple(fc.nat(2 ** 31), fc.nat(2 ** 31)), { maxLength: 20 }),
  });

  test('is read back as it was written, whatever window is encoded', () => {
    fc.assert(
      fc.property(shape, fc.nat(3000), ({ sizeBytes, blockMiB, sector, seed }, window) => {
        const layout = layoutOf(sizeBytes, blockMiB * mib, sector);
        const slots = new Uint32Array(layout.blocks);
        for (const [block, slot] of seed) slots[block % layout.blocks] = (slot % layout.blocks) + 1;
        const found = new Uint32Array(layout.blocks);
        const step = window + 1;
        for (let from = 0; from < layout.batEntries; from += step) {
          expect(decodeBat(layout, encodeBat(layout, slots, from, from + step), from, found)).toBe(true);
        }
        expect(found).toEqual(slots);
        expect(layout.batEntries * 8).toBeLessThanOrEqual(layout.batBytes);
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    { sector: 512 as const, chunk: 128 },
    { sector: 4096 as const, chunk: 1024 },
  ])(
    'with sectors of $sector has a bitmap entry after each $chunk blocks of 32 MiB, which names nothing',
    ({ sector, chunk }) => {
      const layout = layoutOf(3000 * 32 * mib, 32 * mib, sector);
      expect(layout.chunkRatio).toBe(chunk);
      const table = encodeBat(layout, new Uint32Array(layout.blocks).fill(1), 0, layout.batEntries);
      const states = Array.from(
        { length: layout.batEntries },
        (_, index) => readBatEntry(table, index * 8).state,
      );
      const empty = states.flatMap((state, index) => (state === blockStates.notPresent ? [index] : []));
      expect(empty).toEqual(
        Array.from({ length: Math.floor((layout.blocks - 1) / chunk) }, (_, n) => n * (chunk + 1) + chunk),
      );
      const blocks = Array.from({ length: layout.blocks }, (_, block) => block);
      expect(batIndexes(layout, blocks)).toEqual(
        states.flatMap((state, index) => (state === blockStates.fullyPresent ? [index] : [])),
      );
    },
  );

  test('calls a block without data ZERO, since a reader may return anything for NOT_PRESENT', () => {
    const layout = layoutOf(gib, 32 * mib);
    const table = encodeBat(layout, new Uint32Array(layout.blocks), 0, layout.batEntries);
    expect(readBatEntry(table, 0)).toEqual({ state: blockStates.zero, offsetMiB: 0, reserved: 0 });
  });

  test('that is not as we write it is refused', () => {
    const layout = layoutOf(gib, 32 * mib);
    const slots = new Uint32Array(layout.blocks);
    for (const [low, high] of [
      [7, 0],
      [6, 0],
      [6 + (5 << 20), 0],
      [8 + 2, 0],
      [2 + (36 << 20), 0],
      [6 + (4 << 20), 0x7fff_ffff],
    ] as const) {
      const table = encodeBat(layout, slots, 0, layout.batEntries);
      table.writeUInt32LE(low >>> 0, 8);
      table.writeUInt32LE(high, 12);
      expect(decodeBat(layout, table, 0, new Uint32Array(layout.blocks))).toBe(false);
    }
  });
});
