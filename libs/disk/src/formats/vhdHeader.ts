import {
  checkedVirtualSize,
  headerError,
  safeNumber,
  type ByteReader,
  type ImageHeader,
} from './imageHeader.ts';

const cookie = 'conectix';
// The largest geometry a footer can hold: such a disk is sized by `current size` (block/vpc.c of QEMU 7.2).
const maxGeometrySectors = 65_535 * 16 * 255;
// Creators whose images are sized by `current size`; all others by geometry. Same table as block/vpc.c of QEMU 7.2,
// so that the size told here is the size the block layer serves.
const sizedByCurrentSize = new Set(['win ', 'qem2', 'd2v ', 'tap\0', 'CTXS', 'wa\0\0']);

/** True when the bytes are a VHD footer (also the copy at the start of dynamic images). */
export function looksLikeVhdFooter(bytes: Buffer): boolean {
  return bytes.length >= 8 && bytes.toString('latin1', 0, 8) === cookie;
}

function checksumOf(footer: Buffer): number {
  let sum = 0;
  for (const [index, byte] of footer.entries()) if (index < 64 || index > 67) sum += byte;
  return ~sum >>> 0;
}

async function readFooter(file: ByteReader): Promise<Buffer> {
  if (file.sizeBytes < 512)
    throw headerError(file.label, 'the file is shorter than a footer', 'DISK_IMAGE_TRUNCATED');
  const first = await file.readAt(0, 512);
  if (looksLikeVhdFooter(first)) return first;
  const last = await file.readAt(file.sizeBytes - 512, 512);
  if (looksLikeVhdFooter(last)) return last;
  throw headerError(file.label, 'this is no VHD file', 'DISK_FORMAT_MISMATCH');
}

/** Where the block allocation table of a dynamic disk lies, and what it maps. */
export interface VhdBlockTable {
  readonly offsetBytes: number;
  readonly entries: number;
  readonly blockBytes: number;
}

async function readDynamicHeader(
  file: ByteReader,
  footer: Buffer,
  sizeBytes: number,
): Promise<VhdBlockTable> {
  const at = safeNumber(footer.readBigUInt64BE(16), file.label, 'the dynamic header offset');
  const header = await file.readAt(at, 1024);
  if (header.toString('latin1', 0, 8) !== 'cxsparse')
    throw headerError(file.label, 'the dynamic header is missing');
  const tableAt = safeNumber(header.readBigUInt64BE(16), file.label, 'the block table offset');
  const entries = header.readUInt32BE(28);
  const blockBytes = header.readUInt32BE(32);
  if (blockBytes < 512 || (blockBytes & (blockBytes - 1)) !== 0) {
    throw headerError(file.label, `the block size ${blockBytes} is impossible`);
  }
  if (entries * blockBytes < sizeBytes) {
    throw headerError(file.label, `${entries} blocks of ${blockBytes} bytes do not hold ${sizeBytes} bytes`);
  }
  if (tableAt + entries * 4 > file.sizeBytes) {
    throw headerError(file.label, 'the block table ends behind the file', 'DISK_IMAGE_TRUNCATED');
  }
  return { offsetBytes: tableAt, entries, blockBytes };
}

/**
 * Reads and checks a VHD footer (fixed or dynamic) and the dynamic header.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH, DISK_HEADER_INVALID, DISK_IMAGE_TRUNCATED; DISK_FORMAT_UNSUPPORTED - a differencing disk
 */
export async function readVhdHeader(file: ByteReader): Promise<ImageHeader> {
  const { virtualSizeBytes } = await readVhdLayout(file);
  return {
    format: 'vhd',
    virtualSizeBytes,
    backing: null,
    l1: null,
    clusterBytes: null,
    extentFiles: [],
    closedCleanly: true,
  };
}

/**
 * Size and block table of a VHD; no table: a fixed disk, whose data starts at the start of the file.
 *
 * @throws {AppError} as `readVhdHeader`
 */
export async function readVhdLayout(
  file: ByteReader,
): Promise<{ readonly virtualSizeBytes: number; readonly table: VhdBlockTable | null }> {
  const { label } = file;
  const footer = await readFooter(file);
  if (footer.readUInt32BE(64) !== checksumOf(footer))
    throw headerError(label, 'the footer checksum is wrong');
  const type = footer.readUInt32BE(60);
  if (type === 4) throw headerError(label, 'differencing disks are not read', 'DISK_FORMAT_UNSUPPORTED');
  if (type !== 2 && type !== 3)
    throw headerError(label, `disk type ${type} is not known`, 'DISK_FORMAT_UNSUPPORTED');
  const current = safeNumber(footer.readBigUInt64BE(48), label, 'the current size');
  const sectors = footer.readUInt16BE(56) * footer.readUInt8(58) * footer.readUInt8(59);
  const byCurrent =
    sizedByCurrentSize.has(footer.toString('latin1', 28, 32)) || sectors === maxGeometrySectors;
  const virtualSizeBytes = checkedVirtualSize(byCurrent ? current : sectors * 512, label);
  if (type === 3) return { virtualSizeBytes, table: await readDynamicHeader(file, footer, virtualSizeBytes) };
  if (virtualSizeBytes > file.sizeBytes) {
    const problem = `the disk has ${virtualSizeBytes} bytes, the file ${file.sizeBytes}`;
    throw headerError(label, problem, 'DISK_IMAGE_TRUNCATED');
  }
  return { virtualSizeBytes, table: null };
}
