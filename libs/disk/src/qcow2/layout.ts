import { AppError } from '@ascend/errors';

// Layout: docs/interop/qcow2.txt of QEMU 7.2, read 2026-07.

/** Bytes of a cluster of every image written here: the default of QEMU, which every reader handles well. */
export const clusterBytes = 65_536;
/** Entries of one L2 table, which is one cluster. */
export const l2Entries = clusterBytes / 8;
/** Bytes of the virtual disk that one L2 table describes (512 MiB). */
export const l2SpanBytes = l2Entries * clusterBytes;
/** Reference counts (16 bit) in one refcount block. */
export const refcountsPerBlock = clusterBytes / 2;

const sectorBytes = 512;
const two32 = 2 ** 32;
// QCOW_MAX_L1_SIZE of block/qcow2.h: QEMU opens no image with a larger L1 table.
const maxL1Bytes = 32 * 1024 * 1024;

// High halves of an entry.
const copiedBit = 0x8000_0000;
const compressedBit = 0x4000_0000;
// Compressed: bits 54…61 hold the number of further sectors, that is bit 22 of the high half.
const sectorShift = 22;

/** What a table entry names in the file. Offsets in bytes. */
export type L2Entry =
  | { readonly kind: 'none' }
  | { readonly kind: 'standard'; readonly offset: number }
  | { readonly kind: 'compressed'; readonly offset: number; readonly lengthBytes: number }
  | { readonly kind: 'foreign' };

/** Rounds up to whole clusters. */
export function roundToClusters(bytes: number): number {
  return Math.ceil(bytes / clusterBytes) * clusterBytes;
}

/**
 * How many L1 entries a disk needs.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - above 2 PiB
 */
export function l1EntriesOf(sizeBytes: number): number {
  const entries = Math.ceil(sizeBytes / l2SpanBytes);
  const maxEntries = maxL1Bytes / 8;
  if (entries <= maxEntries) return entries;
  const limitBytes = maxEntries * l2SpanBytes;
  throw new AppError({
    code: 'DISK_FORMAT_LIMIT',
    message: `make qcow2 disk: ${sizeBytes} bytes are more than the ${limitBytes} of this format`,
    details: { format: 'qcow2', limitBytes, sizeBytes },
  });
}

/** Reads an L1 entry: the offset of an L2 table, 0 = none; null: a value that is never written here. */
export function readL1Entry(table: Buffer, index: number): number | null {
  const entry = readL2Entry(table, index);
  if (entry.kind === 'none') return 0;
  return entry.kind === 'standard' ? entry.offset : null;
}

/** Reads an L2 entry; `foreign`: a value that is never written here. */
export function readL2Entry(table: Buffer, index: number): L2Entry {
  const high = table.readUInt32BE(index * 8);
  const low = table.readUInt32BE(index * 8 + 4);
  if (high === 0 && low === 0) return { kind: 'none' };
  if ((high & compressedBit) !== 0) {
    if (high >= copiedBit) return { kind: 'foreign' };
    const offset = (high & ((1 << sectorShift) - 1)) * two32 + low;
    const sectors = ((high >>> sectorShift) & 0xff) + 1;
    return { kind: 'compressed', offset, lengthBytes: sectors * sectorBytes - (offset % sectorBytes) };
  }
  const offset = (high & 0x00ff_ffff) * two32 + low;
  const plain = high >= copiedBit && (high & 0x7f00_0000) === 0;
  return plain && offset % clusterBytes === 0 && Number.isSafeInteger(offset)
    ? { kind: 'standard', offset }
    : { kind: 'foreign' };
}

/** The offset of a standard cluster; 0 when the entry names none. For tables that were checked when they were read. */
export function standardOffset(table: Buffer, index: number): number {
  const high = table.readUInt32BE(index * 8);
  return high < copiedBit ? 0 : (high & 0x00ff_ffff) * two32 + table.readUInt32BE(index * 8 + 4);
}

/** Names a cluster (or, in L1, a table) that only this entry refers to; 0 = names nothing and reads as zeros. */
export function writeStandardEntry(table: Buffer, index: number, offset: number): void {
  table.writeUInt32BE(offset === 0 ? 0 : (copiedBit | Math.floor(offset / two32)) >>> 0, index * 8);
  table.writeUInt32BE(offset % two32, index * 8 + 4);
}

/** Names compressed data at any byte offset; its end is told in whole sectors. */
export function writeCompressedEntry(
  table: Buffer,
  index: number,
  offset: number,
  lengthBytes: number,
): void {
  const sectors = Math.floor((offset + lengthBytes - 1) / sectorBytes) - Math.floor(offset / sectorBytes);
  const high = compressedBit | (sectors << sectorShift) | Math.floor(offset / two32);
  table.writeUInt32BE(high >>> 0, index * 8);
  table.writeUInt32BE(offset % two32, index * 8 + 4);
}

/** True when nothing is named. */
export function isEmptyEntry(table: Buffer, index: number): boolean {
  return table.readUInt32BE(index * 8) === 0 && table.readUInt32BE(index * 8 + 4) === 0;
}
