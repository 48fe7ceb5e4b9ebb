import { clusterBytes, l1EntriesOf, roundToClusters } from './layout.ts';

/** How clusters are compressed: not at all, or each by zstd. */
export type Qcow2Compression = 'none' | 'zstd';

/** What differs between the headers of images written here. Offsets and sizes in bytes. */
export interface OwnHeader {
  readonly sizeBytes: number;
  readonly compression: Qcow2Compression;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** The reference counts are not valid: QEMU repairs them before it writes. Set until the image is finished. */
  readonly dirty: boolean;
}

/** Bytes of a header. */
export const headerBytes = 512;
/** Place of the refcount table of images up to 16 TiB of file; QEMU puts it there too. */
export const firstRefcountTableOffset = clusterBytes;
/** Place of the L1 table. QEMU puts a refcount block here, so this also tells our files from its files. */
export const l1Offset = 2 * clusterBytes;

const magic = 0x51_46_49_fb;
const clusterBits = 16;
const refcountOrder = 4;
const dirtyFeature = 1n;
const compressionFeature = 1n << 3n;
const fieldsBytes = 112;

/** Where the L1 table of a disk ends and clusters may be allocated. */
export function firstFreeOffset(sizeBytes: number): number {
  return l1Offset + roundToClusters(l1EntriesOf(sizeBytes) * 8);
}

/** The first 512 bytes of an image (version 3, no backing, no snapshots, no header extensions). */
export function encodeOwnHeader(header: OwnHeader): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt32BE(3, 4);
  bytes.writeUInt32BE(clusterBits, 20);
  bytes.writeBigUInt64BE(BigInt(header.sizeBytes), 24);
  bytes.writeUInt32BE(l1EntriesOf(header.sizeBytes), 36);
  bytes.writeBigUInt64BE(BigInt(l1Offset), 40);
  bytes.writeBigUInt64BE(BigInt(header.refcountTableOffset), 48);
  bytes.writeUInt32BE(header.refcountTableClusters, 56);
  const features =
    (header.dirty ? dirtyFeature : 0n) | (header.compression === 'zstd' ? compressionFeature : 0n);
  bytes.writeBigUInt64BE(features, 72);
  bytes.writeUInt32BE(refcountOrder, 96);
  bytes.writeUInt32BE(fieldsBytes, 100);
  bytes.writeUInt8(header.compression === 'zstd' ? 1 : 0, 104);
  return bytes;
}

/** True when the bytes are the header of an image that this code made for a disk of this size and compression. */
export function isOwnHeader(bytes: Buffer, sizeBytes: number, compression: Qcow2Compression): boolean {
  if (bytes.length !== headerBytes) return false;
  const expected = encodeOwnHeader({
    sizeBytes,
    compression,
    refcountTableOffset: 0,
    refcountTableClusters: bytes.readUInt32BE(56),
    dirty: (bytes.readBigUInt64BE(72) & dirtyFeature) !== 0n,
  });
  // A resume makes new reference counts, so the old table's place does not matter.
  bytes.copy(expected, 48, 48, 56);
  return bytes.equals(expected);
}
