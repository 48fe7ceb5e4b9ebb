import { assertRange, type ByteSource } from '../byteSource.ts';

/** Several sources one after the other, as LVM and md put linear volumes together. */
export function joinedSource(parts: readonly ByteSource[]): ByteSource {
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  return {
    sizeBytes,
    read: async (offsetBytes, length) => {
      assertRange(sizeBytes, offsetBytes, length);
      const pieces: Buffer[] = [];
      let start = 0;
      for (const part of parts) {
        const from = Math.max(offsetBytes, start);
        const to = Math.min(offsetBytes + length, start + part.sizeBytes);
        if (from < to) pieces.push(await part.read(from - start, to - from));
        start += part.sizeBytes;
      }
      return Buffer.concat(pieces);
    },
  };
}

/**
 * Sources that take turns, `stripeBytes` each, as in a striped volume or RAID 0. Ends with the last turn that all of them
 * can take in full.
 */
export function stripedSource(parts: readonly ByteSource[], stripeBytes: number): ByteSource {
  const shortest = Math.min(...parts.map((part) => part.sizeBytes));
  const turns = Math.floor(shortest / stripeBytes);
  const sizeBytes = Number.isFinite(turns) ? turns * stripeBytes * parts.length : 0;
  return {
    sizeBytes,
    read: async (offsetBytes, length) => {
      assertRange(sizeBytes, offsetBytes, length);
      const pieces: Buffer[] = [];
      for (let at = offsetBytes; at < offsetBytes + length;) {
        const stripe = Math.floor(at / stripeBytes);
        const inside = at % stripeBytes;
        const part = parts[stripe % parts.length];
        const count = Math.min(stripeBytes - inside, offsetBytes + length - at);
        const turn = Math.floor(stripe / parts.length);
        if (part === undefined) break;
        pieces.push(await part.read(turn * stripeBytes + inside, count));
        at += count;
      }
      return Buffer.concat(pieces);
    },
  };
}
