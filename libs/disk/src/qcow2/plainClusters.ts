import type { ClusterWriter } from './clusterWriter.ts';
import type { ImageWriter } from './imageWriter.ts';
import { clusterBytes, isEmptyEntry, standardOffset, writeStandardEntry } from './layout.ts';
import { allSettledOrThrow, entryIndexOf, tableRanges, withTable } from './tableRanges.ts';
import type { L2Table } from './tables.ts';

/** New clusters whose data is under way, by number in the disk: a second write into one of them must find it. */
type Pending = Map<number, { readonly hostOffset: number; users: number }>;

interface Piece {
  readonly hostOffset: number;
  readonly from: number;
  to: number;
}

const zeroCluster = Buffer.alloc(clusterBytes);

/** Where each byte goes; neighbours in the file become one piece. New clusters are noted in `pending`. */
function placePieces(
  parts: { readonly image: ImageWriter; readonly pending: Pending; readonly table: L2Table },
  offset: number,
  length: number,
): { pieces: Piece[]; fresh: number[] } {
  const { image, pending, table } = parts;
  const pieces: Piece[] = [];
  const fresh: number[] = [];
  for (let at = 0; at < length;) {
    const cluster = Math.floor((offset + at) / clusterBytes);
    const inside = (offset + at) % clusterBytes;
    const to = Math.min(length, at + clusterBytes - inside);
    let host = standardOffset(table.entries, entryIndexOf(offset + at));
    if (host === 0) {
      const waiting = pending.get(cluster) ?? { hostOffset: image.allocator.clusters(1), users: 0 };
      waiting.users += 1;
      pending.set(cluster, waiting);
      fresh.push(cluster);
      host = waiting.hostOffset;
    }
    const last = pieces.at(-1);
    if (last !== undefined && last.hostOffset + last.to - last.from === host + inside) last.to = to;
    else pieces.push({ hostOffset: host + inside, from: at, to });
    at = to;
  }
  return { pieces, fresh };
}

/** Writes clusters as they are. */
export function createPlainClusters(image: ImageWriter): ClusterWriter {
  const pending: Pending = new Map();
  const name = (table: L2Table, fresh: readonly number[]): void => {
    for (const cluster of fresh) {
      const host = pending.get(cluster)?.hostOffset;
      if (host === undefined) continue;
      writeStandardEntry(table.entries, entryIndexOf(cluster * clusterBytes), host);
      table.dirty = true;
    }
  };
  const forget = (fresh: readonly number[]): void => {
    for (const cluster of fresh) {
      const waiting = pending.get(cluster);
      if (waiting === undefined) continue;
      waiting.users -= 1;
      if (waiting.users === 0) pending.delete(cluster);
    }
  };
  const writeInTable = async (table: L2Table, offset: number, data: Uint8Array): Promise<void> => {
    const { pieces, fresh } = placePieces({ image, pending, table }, offset, data.length);
    try {
      await allSettledOrThrow(
        pieces.map(({ hostOffset, from, to }) => image.file.write(hostOffset, [data.subarray(from, to)])),
      );
      // Only now: a table never names a cluster whose data is not in the file.
      name(table, fresh);
    } finally {
      forget(fresh);
    }
  };
  return {
    alignmentBytes: 512,
    write: async (offset, data) => {
      for (const range of tableRanges(offset, data.length)) {
        const from = range.offsetBytes - offset;
        const part = data.subarray(from, from + range.lengthBytes);
        await withTable(image.tables, range.tableIndex, (table) =>
          writeInTable(table, range.offsetBytes, part),
        );
      }
    },
    zeroPart: async (table, offset, length) => {
      const index = entryIndexOf(offset);
      // What is not allocated, or still under way, holds zeros around the written parts.
      if (isEmptyEntry(table.entries, index)) return;
      const host = standardOffset(table.entries, index) + (offset % clusterBytes);
      await image.file.write(host, [zeroCluster.subarray(0, length)]);
    },
    close: () => undefined,
  };
}
