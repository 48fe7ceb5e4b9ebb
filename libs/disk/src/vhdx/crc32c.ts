// Castagnoli's polynomial, bits reversed (RFC 3720 appendix B.4 names the same sum).
const polynomial = 0x82f6_3b78;
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ polynomial;
  return sum;
});

/** CRC-32C of the bytes. For tables of up to 64 KiB, not for data. */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ (table[(sum ^ byte) & 0xff] ?? 0);
  return ~sum >>> 0;
}

const checksumAt = 4;

/** CRC-32C of a VHDX structure: the four bytes of the sum itself, at offset 4, count as zeros. */
export function structureChecksum(structure: Uint8Array): number {
  const copy = Buffer.from(structure);
  copy.writeUInt32LE(0, checksumAt);
  return crc32c(copy);
}

/** Puts the sum of a structure into it. */
export function sealStructure(structure: Buffer): Buffer {
  structure.writeUInt32LE(structureChecksum(structure), checksumAt);
  return structure;
}
