import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAllocator } from './allocator.ts';
import {
  clusterBytes,
  l1EntriesOf,
  l2SpanBytes,
  readL1Entry,
  readL2Entry,
  standardOffset,
  writeCompressedEntry,
  writeStandardEntry,
} from './layout.ts';
import { encodeOwnHeader, firstFreeOffset, firstRefcountTableOffset, isOwnHeader } from './ownHeader.ts';
import { placeRefcounts } from './refcounts.ts';

const tib = 1024 ** 4;
const clusterOffset = fc.integer({ min: 1, max: 2 ** 36 }).map((cluster) => cluster * clusterBytes);

test('a standard entry is read as the offset that was written, whatever stood there', () => {
  fc.assert(
    fc.property(clusterOffset, clusterOffset, fc.nat(8191), (before, offset, index) => {
      const table = Buffer.alloc(clusterBytes);
      writeStandardEntry(table, index, before);
      writeStandardEntry(table, index, offset);
      expect(readL2Entry(table, index)).toEqual({ kind: 'standard', offset });
      expect(readL1Entry(table, index)).toBe(offset);
      expect(standardOffset(table, index)).toBe(offset);
      writeStandardEntry(table, index, 0);
      expect(readL2Entry(table, index)).toEqual({ kind: 'none' });
    }),
  );
});

test('a compressed entry covers its data and ends with the sector that holds its last byte', () => {
  const length = fc.integer({ min: 1, max: clusterBytes - 1 });
  fc.assert(
    fc.property(fc.integer({ min: clusterBytes, max: 2 ** 52 }), length, (offset, lengthBytes) => {
      const table = Buffer.alloc(8);
      writeCompressedEntry(table, 0, offset, lengthBytes);
      const entry = readL2Entry(table, 0);
      const end = Math.ceil((offset + lengthBytes) / 512) * 512;
      expect(entry).toEqual({ kind: 'compressed', offset, lengthBytes: end - offset });
      expect(readL1Entry(table, 0)).toBeNull();
    }),
  );
});

test.each([
  ['zero flag', 0x8000_0000_0001_0001n],
  ['an offset inside a cluster', 0x8000_0000_0001_0200n],
  ['no single reference', 0x0000_0000_0001_0000n],
  ['reserved bits', 0x8100_0000_0001_0000n],
  ['compressed and copied', 0xc000_0000_0001_0000n],
])('an entry with %s is foreign', (_name, value) => {
  const table = Buffer.alloc(8);
  table.writeBigUInt64BE(value);
  expect(readL2Entry(table, 0)).toEqual({ kind: 'foreign' });
});

test('the limit of the format is 2 PiB', () => {
  expect(l1EntriesOf(2048 * tib)).toBe(2048 * 2048);
  expect(() => l1EntriesOf(2048 * tib + 512)).toThrow(expect.objectContaining({ code: 'DISK_FORMAT_LIMIT' }));
  expect(l1EntriesOf(l2SpanBytes)).toBe(1);
  expect(l1EntriesOf(l2SpanBytes + 512)).toBe(2);
});

test('a header is known as ours, dirty or finished, only for its own size and compression', () => {
  const header = {
    sizeBytes: 10 * tib,
    compression: 'zstd' as const,
    refcountTableOffset: 5 * clusterBytes,
    refcountTableClusters: 3,
    dirty: false,
  };
  for (const dirty of [true, false]) {
    const bytes = encodeOwnHeader({ ...header, dirty });
    expect(isOwnHeader(bytes, header.sizeBytes, 'zstd')).toBe(true);
    expect(isOwnHeader(bytes, header.sizeBytes, 'none')).toBe(false);
    expect(isOwnHeader(bytes, header.sizeBytes + 512, 'zstd')).toBe(false);
    expect(isOwnHeader(bytes.subarray(0, 511), header.sizeBytes, 'zstd')).toBe(false);
    // A snapshot.
    bytes.writeUInt32BE(1, 60);
    expect(isOwnHeader(bytes, header.sizeBytes, 'zstd')).toBe(false);
  }
});

test('space is never handed out twice, and plain clusters lie on cluster boundaries', () => {
  const request = fc.oneof(
    fc.record({ clusters: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ packed: fc.integer({ min: 1, max: clusterBytes - 1 }) }),
    fc.constant('seal' as const),
  );
  fc.assert(
    fc.property(fc.array(request, { maxLength: 300 }), (requests) => {
      const start = firstFreeOffset(tib);
      const allocator = createAllocator(start);
      const taken: { from: number; to: number }[] = [];
      let aligned = true;
      for (const wish of requests) {
        if (wish === 'seal') {
          allocator.sealPage();
          continue;
        }
        const length = 'clusters' in wish ? wish.clusters * clusterBytes : wish.packed;
        const from = 'clusters' in wish ? allocator.clusters(wish.clusters) : allocator.packed(wish.packed);
        aligned &&= !('clusters' in wish) || from % clusterBytes === 0;
        taken.push({ from, to: from + length });
      }
      const end = allocator.trim();
      expect(aligned).toBe(true);
      expect(end % clusterBytes).toBe(0);
      let at = start;
      for (const { from, to } of taken.toSorted((a, b) => a.from - b.from)) {
        expect(from).toBeGreaterThanOrEqual(at);
        at = to;
      }
      expect(end).toBeGreaterThanOrEqual(at);
    }),
    { numRuns: 50 },
  );
});

test('compressed data alone lies without gaps, and leaves none at the end', () => {
  const allocator = createAllocator(3 * clusterBytes);
  let at = 3 * clusterBytes;
  for (let count = 0; count < 1000; count += 1) {
    expect(allocator.packed(12_345)).toBe(at);
    at += 12_345;
  }
  expect(allocator.trim() - at).toBeLessThan(clusterBytes);
});

test.each([
  [3, 1, false],
  [32_767, 1, false],
  [32_768, 2, false],
  // 16 TiB of file: the first table is full.
  [8192 * 32_768 - 8192, 8192, false],
  [8192 * 32_768 - 8191, 8193, true],
  [100 * 8192 * 32_768, 819_226, true],
])('%i clusters need %i refcount blocks', (clusters, blocks, moved) => {
  const place = placeRefcounts(clusters * clusterBytes);
  expect(place.blocks).toBe(blocks);
  expect(place.tableOffset !== firstRefcountTableOffset).toBe(moved);
  // They count themselves, and their table has room for them.
  expect(place.blocks * 32_768 * clusterBytes).toBeGreaterThanOrEqual(place.endOffset);
  expect(place.tableClusters * 8192).toBeGreaterThanOrEqual(place.blocks);
});
