import { createHash } from 'node:crypto';
import type { DiskSource } from '@ascend/disk';

const kib = 1024;
const mib = 1024 * kib;

/** Size of the disk that failing targets get. */
export const sourceBytes = 12 * mib;

/** The disk: data that cannot be compressed, with a hole of 1 MiB in the middle. */
export const sourceContent = ((): Buffer => {
  const bytes = Buffer.alloc(sourceBytes);
  let sum = Buffer.alloc(32, 1);
  for (let at = 0; at < sourceBytes; at += 32) {
    if (at % (4 * kib) === 0) sum = createHash('sha256').update(sum).digest();
    sum.writeUInt32LE(at, 0);
    bytes.set(createHash('sha256').update(sum).digest(), at);
  }
  return bytes.fill(0, 6 * mib, 7 * mib);
})();

/** A disk in memory. */
export function randomSource(): DiskSource {
  return {
    sizeBytes: sourceBytes,
    async *extents(offset, length) {
      await Promise.resolve();
      const parts = [
        { from: 0, to: 6 * mib, kind: 'data' as const },
        { from: 6 * mib, to: 7 * mib, kind: 'hole' as const },
        { from: 7 * mib, to: sourceBytes, kind: 'data' as const },
      ];
      for (const { from, to, kind } of parts) {
        const [start, end] = [Math.max(from, offset), Math.min(to, offset + length)];
        if (end > start) yield { offsetBytes: start, lengthBytes: end - start, kind };
      }
    },
    readInto: async (offset, target) => {
      await Promise.resolve();
      target.set(sourceContent.subarray(offset, offset + target.length));
    },
    assertUnchanged: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
