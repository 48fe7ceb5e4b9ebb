import { randomUUID } from 'node:crypto';

// Virtual Hard Disk Image Format Specification 1.0, 11 October 2006: "Hard Disk Footer Format" and the appendix "CHS Calculation".
const cookie = 'conectix';
/** Bytes of a footer. */
export const footerBytes = 512;
const checksumAt = 64;
const epochSeconds = 946_684_800; // 2000-01-01 00:00 UTC
const noOffset = 0xffff_ffff_ffff_ffffn;
const maxSectors = 65_535 * 16 * 255;

/** Kinds of VHD that are written here. */
export type VhdType = 'fixed' | 'dynamic';

const typeNumbers: Readonly<Record<VhdType, number>> = { fixed: 2, dynamic: 3 };

/** Cylinders, heads and sectors per track. */
export interface ChsGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** What a footer says. */
export interface VhdFooter {
  readonly type: VhdType;
  readonly sizeBytes: number;
  readonly uniqueId: Buffer;
  readonly timestamp: number;
}

/** The geometry field for a disk, by the specification's algorithm. It holds at most the disk's size and does not change that. */
export function geometryOf(sizeBytes: number): ChsGeometry {
  const total = Math.min(Math.floor(sizeBytes / 512), maxSectors);
  if (total >= 65_535 * 16 * 63) {
    return { cylinders: Math.floor(total / (16 * 255)), heads: 16, sectors: 255 };
  }
  let sectors = 17;
  let tracks = Math.floor(total / sectors);
  let heads = Math.max(4, Math.floor((tracks + 1023) / 1024));
  if (tracks >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    tracks = Math.floor(total / sectors);
  }
  if (tracks >= heads * 1024) {
    sectors = 63;
    heads = 16;
    tracks = Math.floor(total / sectors);
  }
  return { cylinders: Math.floor(tracks / heads), heads, sectors };
}

/** One's complement of the sum of all bytes but the four of the checksum itself. */
export function vhdChecksum(structure: Uint8Array, at: number): number {
  let sum = 0;
  for (const [index, byte] of structure.entries()) if (index < at || index >= at + 4) sum += byte;
  return ~sum >>> 0;
}

/** A footer for a new disk of this size: new identity, time of now. */
export function newVhdFooter(type: VhdType, sizeBytes: number): VhdFooter {
  const timestamp = Math.max(0, Math.floor(Date.now() / 1000) - epochSeconds);
  const uniqueId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex');
  return { type, sizeBytes, uniqueId, timestamp };
}

/**
 * The 512 bytes of a footer. The creator is `win `: the readers that size other creators' disks by geometry (QEMU) take the exact
 * size of these (block/vpc.c of QEMU 7.2, the test beside this file).
 */
export function buildVhdFooter(footer: VhdFooter): Buffer {
  const bytes = Buffer.alloc(footerBytes);
  const { cylinders, heads, sectors } = geometryOf(footer.sizeBytes);
  bytes.write(cookie, 0, 'latin1');
  bytes.writeUInt32BE(2, 8); // features: the reserved bit that is always set
  bytes.writeUInt32BE(0x0001_0000, 12); // format version 1.0
  bytes.writeBigUInt64BE(footer.type === 'fixed' ? noOffset : BigInt(footerBytes), 16);
  bytes.writeUInt32BE(footer.timestamp, 24);
  bytes.write('win ', 28, 'latin1');
  bytes.writeUInt32BE(0x000a_0000, 32);
  bytes.write('Wi2k', 36, 'latin1');
  bytes.writeBigUInt64BE(BigInt(footer.sizeBytes), 40);
  bytes.writeBigUInt64BE(BigInt(footer.sizeBytes), 48);
  bytes.writeUInt16BE(cylinders, 56);
  bytes.writeUInt8(heads, 58);
  bytes.writeUInt8(sectors, 59);
  bytes.writeUInt32BE(typeNumbers[footer.type], 60);
  footer.uniqueId.copy(bytes, 68, 0, 16);
  bytes.writeUInt32BE(vhdChecksum(bytes, checksumAt), checksumAt);
  return bytes;
}

/** The footer in these bytes, or the sentence that says why there is none. */
export function parseVhdFooter(bytes: Buffer): VhdFooter | string {
  if (bytes.length < footerBytes || bytes.toString('latin1', 0, 8) !== cookie) return 'the cookie is missing';
  const checksum = vhdChecksum(bytes.subarray(0, footerBytes), checksumAt);
  if (bytes.readUInt32BE(checksumAt) !== checksum) return 'the checksum is wrong';
  if (bytes.readUInt32BE(12) >>> 16 !== 1) return `format version ${bytes.readUInt32BE(12)} is not known`;
  const number = bytes.readUInt32BE(60);
  const type = number === 2 ? 'fixed' : number === 3 ? 'dynamic' : null;
  if (type === null) return `disk type ${number} is neither fixed nor dynamic`;
  const size = bytes.readBigUInt64BE(48);
  if (size === 0n || size % 512n !== 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
    return `the current size ${size} is impossible`;
  }
  return {
    type,
    sizeBytes: Number(size),
    uniqueId: Buffer.from(bytes.subarray(68, 84)),
    timestamp: bytes.readUInt32BE(24),
  };
}
