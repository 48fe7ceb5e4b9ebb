import type { Extent } from '../extent.ts';
import type { DiskSource } from '../source/diskSource.ts';

/** A disk in memory whose map says what a test wants; extents default to one of data. */
export function memoryDiskSource(bytes: Buffer, extents?: readonly Extent[]): DiskSource {
  const all = extents ?? [{ offsetBytes: 0, lengthBytes: bytes.length, kind: 'data' as const }];
  return {
    ...mapOnlySource(bytes.length, all),
    readInto: async (offset, target) => copyOut(bytes, offset, target),
  };
}

async function copyOut(bytes: Buffer, offset: number, target: Uint8Array): Promise<void> {
  await Promise.resolve();
  bytes.copy(target, 0, offset, offset + target.length);
}

/** A disk that has a map but no bytes, for what must not read. */
export function mapOnlySource(sizeBytes: number, extents: readonly Extent[]): DiskSource {
  return {
    sizeBytes,
    extents: async function* within(offset, length) {
      for (const extent of extents) {
        await Promise.resolve();
        const from = Math.max(offset, extent.offsetBytes);
        const to = Math.min(offset + length, extent.offsetBytes + extent.lengthBytes);
        if (to > from) yield { offsetBytes: from, lengthBytes: to - from, kind: extent.kind };
      }
    },
    readInto: () => Promise.reject(new Error('this source has a map only')),
    assertUnchanged: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

/** Extents in order out of (kind, sectors) pairs. */
export function extentsOf(parts: readonly (readonly [Extent['kind'], number])[]): Extent[] {
  let at = 0;
  return parts.map(([kind, sectors]) => {
    const extent = { offsetBytes: at, lengthBytes: sectors * 512, kind };
    at += sectors * 512;
    return extent;
  });
}
