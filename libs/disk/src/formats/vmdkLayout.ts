import { headerError, safeNumber, type ByteReader } from './imageHeader.ts';

// "Virtual Disk Format 5.0" (technical note of the format's maker): SparseExtentHeader, all numbers little-endian, unit 512 bytes.
const sparseMagic = 0x56_4d_44_4b;
const directoryAtEnd = 0xffff_ffff_ffff_ffffn;
const zeroGrainFlag = 1 << 2;
const compressedFlag = 1 << 16;
const noCompression = 0;
const deflate = 1;
const maxGrainSectors = 0x20_0000;
// The block layer of QEMU 7.2 refuses more (block/vmdk.c).
const maxDirectoryEntries = 32 * 1024 * 1024;
const chunkBytes = 1024 * 1024;

/** What is needed to walk the grain directory and the grain tables of one sparse extent. */
export interface VmdkSparseLayout {
  readonly virtualSizeBytes: number;
  readonly grainBytes: number;
  readonly grainsPerTable: number;
  readonly directory: { readonly offsetBytes: number; readonly lengthBytes: number };
  /** A grain table entry of 1 means a grain of zeros. */
  readonly hasZeroGrains: boolean;
  /** Grains are compressed. */
  readonly compressed: boolean;
}

async function readHeader(file: ByteReader): Promise<Buffer> {
  const head = await file.readAt(0, 512);
  if (head.readUInt32LE(0) !== sparseMagic) {
    throw headerError(file.label, 'the sparse header is missing', 'DISK_FORMAT_MISMATCH');
  }
  // Danger: without a capacity the block layer takes a descriptor inside this file instead, and follows the paths in it.
  if (head.readBigUInt64LE(12) === 0n) throw headerError(file.label, 'the capacity is 0');
  if (head.readBigUInt64LE(56) !== directoryAtEnd) return head;
  // A stream: the true header is the footer, in the last sector but one.
  const footer = await file.readAt(Math.max(0, file.sizeBytes - (file.sizeBytes % 512) - 1024), 512);
  if (footer.readUInt32LE(0) !== sparseMagic || footer.readBigUInt64LE(56) === directoryAtEnd) {
    throw headerError(file.label, 'the footer is missing', 'DISK_IMAGE_TRUNCATED');
  }
  return footer;
}

/** Tables that are named many times would make a small file look like petabytes of data. */
async function checkDirectory(file: ByteReader, layout: VmdkSparseLayout): Promise<void> {
  const { directory, grainsPerTable } = layout;
  let tables = 0;
  for (let done = 0; done < directory.lengthBytes; done += chunkBytes) {
    const length = Math.min(chunkBytes, directory.lengthBytes - done);
    const part = await file.readAt(directory.offsetBytes + done, length);
    for (let at = 0; at < length; at += 4) if (part.readUInt32LE(at) !== 0) tables += 1;
  }
  if (tables * grainsPerTable * 4 > file.sizeBytes) {
    const problem = `${tables} grain tables do not fit into ${file.sizeBytes} bytes`;
    throw headerError(file.label, problem, 'DISK_IMAGE_CORRUPT');
  }
}

/**
 * Reads and checks the sparse header of one extent, or its footer when the header refers to it.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH, DISK_HEADER_INVALID, DISK_IMAGE_TRUNCATED, DISK_IMAGE_CORRUPT, DISK_FILE_UNREADABLE
 */
export async function readVmdkSparseLayout(file: ByteReader): Promise<VmdkSparseLayout> {
  const { label } = file;
  const head = await readHeader(file);
  const flags = head.readUInt32LE(8);
  const bytes = (at: number, what: string): number => {
    const value = safeNumber(head.readBigUInt64LE(at) * 512n, label, what);
    if (value === 0) throw headerError(label, `${what} is 0`);
    return value;
  };
  const virtualSizeBytes = bytes(12, 'the capacity');
  const grainBytes = bytes(20, 'the grain size');
  const grainsPerTable = head.readUInt32LE(44);
  if (grainBytes > maxGrainSectors * 512 || grainsPerTable < 1 || grainsPerTable > 512) {
    throw headerError(label, `${grainsPerTable} grains of ${grainBytes} bytes for each table are impossible`);
  }
  const compressed = (flags & compressedFlag) !== 0;
  const algorithm = head.readUInt16LE(77);
  // Readers differ in which of the two they believe, and take compressed bytes for data or the other way round.
  if (algorithm !== (compressed ? deflate : noCompression)) {
    throw headerError(label, `compression ${algorithm} contradicts the flags 0x${flags.toString(16)}`);
  }
  const directory = {
    offsetBytes: bytes(56, 'the grain directory offset'),
    lengthBytes: Math.ceil(virtualSizeBytes / (grainBytes * grainsPerTable)) * 4,
  };
  if (directory.lengthBytes > maxDirectoryEntries * 4) {
    throw headerError(label, `a grain directory of ${directory.lengthBytes} bytes is impossible`);
  }
  if (directory.offsetBytes + directory.lengthBytes > file.sizeBytes) {
    throw headerError(label, 'the grain directory ends behind the file', 'DISK_IMAGE_TRUNCATED');
  }
  const layout: VmdkSparseLayout = {
    virtualSizeBytes,
    grainBytes,
    grainsPerTable,
    directory,
    hasZeroGrains: (flags & zeroGrainFlag) !== 0,
    compressed,
  };
  await checkDirectory(file, layout);
  return layout;
}
