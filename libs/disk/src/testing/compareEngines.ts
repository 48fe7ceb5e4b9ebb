import type { DiskImage } from '../blockdev.ts';
import type { Extent } from '../extent.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { openNbdSource } from '../source/nbdSource.ts';
import { openSource } from '../source/openSource.ts';

/** How direct reading of an image differs from reading it through the block server. */
export interface EngineDifference {
  /** First offset where the bytes differ; null = none. */
  readonly differsAtBytes: number | null;
  /** First offset that one engine calls data and the other says reads as zeros. */
  readonly dataOnlyDirectAtBytes: number | null;
  readonly zeroOnlyDirectAtBytes: number | null;
  /** What is wrong with the order of the extents; null = without gap or overlap, neighbours differ. */
  readonly disorder: string | null;
}

const pieceBytes = 1024 * 1024;

function disorderOf(extents: readonly Extent[], sizeBytes: number): string | null {
  let at = 0;
  let before: Extent | undefined;
  for (const extent of extents) {
    if (extent.offsetBytes !== at) return `an extent starts at ${extent.offsetBytes}, not at ${at}`;
    if (extent.lengthBytes <= 0) return `an extent at ${at} has ${extent.lengthBytes} bytes`;
    if (before?.kind === extent.kind) return `neighbours at ${at} are both ${extent.kind}`;
    at += extent.lengthBytes;
    before = extent;
  }
  return at === sizeBytes ? null : `the extents end at ${at}, the disk at ${sizeBytes}`;
}

/** First offset where `first` says data and `second` does not; both cover the disk. */
function firstDataOnly(first: readonly Extent[], second: readonly Extent[]): number | null {
  let index = 0;
  for (const extent of first) {
    if (extent.kind !== 'data') continue;
    const end = extent.offsetBytes + extent.lengthBytes;
    for (; index < second.length; index += 1) {
      const other = second[index];
      if (other === undefined || other.offsetBytes >= end) break;
      const otherEnd = other.offsetBytes + other.lengthBytes;
      if (other.kind !== 'data' && otherEnd > extent.offsetBytes) {
        return Math.max(other.offsetBytes, extent.offsetBytes);
      }
      if (otherEnd > end) break;
    }
  }
  return null;
}

/** All extents of a small disk. */
export async function collectExtents(extents: AsyncIterable<Extent>): Promise<Extent[]> {
  const found: Extent[] = [];
  for await (const extent of extents) found.push(extent);
  return found;
}

/** The first differing offset of a range, read in one call from each source, into buffers that held something else. */
async function differsIn(one: DiskSource, other: DiskSource, at: number, length: number) {
  const [a, b] = [Buffer.alloc(length, 0xee), Buffer.alloc(length, 0xdd)];
  await Promise.all([one.readInto(at, a), other.readInto(at, b)]);
  return a.equals(b) ? null : at + a.findIndex((byte, index) => byte !== b[index]);
}

/** Compares both engines: every byte in pieces, some ranges that start and end anywhere, and the maps. */
export async function compareEngines(
  image: DiskImage,
  workDir: string,
  ranges: readonly (readonly [number, number])[] = [],
): Promise<EngineDifference> {
  const { signal } = new AbortController();
  const nbd = await openNbdSource({ image, workDir, signal });
  try {
    const direct = await openSource({ image, workDir, signal, engine: 'direct' });
    try {
      const { sizeBytes } = nbd;
      const [own, reference] = [
        await collectExtents(direct.extents(0, sizeBytes)),
        await collectExtents(nbd.extents(0, sizeBytes)),
      ];
      let differsAtBytes: number | null = null;
      for (let at = 0; at < sizeBytes && differsAtBytes === null; at += pieceBytes) {
        differsAtBytes = await differsIn(direct, nbd, at, Math.min(pieceBytes, sizeBytes - at));
      }
      for (const [from, length] of ranges) {
        const at = from % sizeBytes;
        differsAtBytes ??= await differsIn(direct, nbd, at, Math.min(length, sizeBytes - at));
      }
      return {
        differsAtBytes,
        dataOnlyDirectAtBytes: firstDataOnly(own, reference),
        zeroOnlyDirectAtBytes: firstDataOnly(reference, own),
        disorder: disorderOf(own, sizeBytes),
      };
    } finally {
      await direct.close();
    }
  } finally {
    await nbd.close();
  }
}
