import { footerBytes, vhdChecksum } from './vhdFooter.ts';

// Virtual Hard Disk Image Format Specification 1.0, 11 October 2006: "Dynamic Disk Header Format", "Block Allocation Table".
const cookie = 'cxsparse';
/** Bytes of the header of a dynamic disk. */
export const dynamicHeaderBytes = 1024;
/** Where the header of our own files lies: behind the copy of the footer. */
export const dynamicHeaderAt = footerBytes;
/** Where the block allocation table of our own files lies. */
export const tableAt = dynamicHeaderAt + dynamicHeaderBytes;
/** The specification's default; some readers know no other. */
export const vhdBlockBytes = 2 * 1024 ** 2;
/** Table entry of a block that has no space in the file and reads as zeros. */
export const unusedEntry = 0xffff_ffff;
const checksumAt = 36;

/** Bytes of the sector bitmap in front of a block: a bit for each sector, whole sectors. */
export function bitmapBytes(blockBytes: number): number {
  return Math.ceil(blockBytes / 512 / 8 / 512) * 512;
}

/** What a dynamic header says. */
export interface DynamicHeader {
  readonly tableAt: bigint;
  readonly maxTableEntries: number;
  readonly blockBytes: number;
}

/** The header of a dynamic disk of ours. */
export function buildDynamicHeader(maxTableEntries: number): Buffer {
  const bytes = Buffer.alloc(dynamicHeaderBytes);
  bytes.write(cookie, 0, 'latin1');
  bytes.writeBigUInt64BE(0xffff_ffff_ffff_ffffn, 8);
  bytes.writeBigUInt64BE(BigInt(tableAt), 16);
  bytes.writeUInt32BE(0x0001_0000, 24);
  bytes.writeUInt32BE(maxTableEntries, 28);
  bytes.writeUInt32BE(vhdBlockBytes, 32);
  bytes.writeUInt32BE(vhdChecksum(bytes, checksumAt), checksumAt);
  return bytes;
}

/** The header in these bytes, or the sentence that says why there is none. */
export function parseDynamicHeader(bytes: Buffer): DynamicHeader | string {
  if (bytes.length < dynamicHeaderBytes || bytes.toString('latin1', 0, 8) !== cookie) {
    return 'the cookie is missing';
  }
  const header = bytes.subarray(0, dynamicHeaderBytes);
  if (header.readUInt32BE(checksumAt) !== vhdChecksum(header, checksumAt)) return 'the checksum is wrong';
  if (header.readUInt32BE(24) !== 0x0001_0000) return `version ${header.readUInt32BE(24)} is not known`;
  const blockBytes = header.readUInt32BE(32);
  if (blockBytes < 4096 || (blockBytes & (blockBytes - 1)) !== 0)
    return `the block size ${blockBytes} is impossible`;
  return { tableAt: header.readBigUInt64BE(16), maxTableEntries: header.readUInt32BE(28), blockBytes };
}
