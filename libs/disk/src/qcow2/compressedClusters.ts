import type { ClusterWriter } from './clusterWriter.ts';
import type { ImageWriter } from './imageWriter.ts';
import { clusterBytes, writeCompressedEntry, writeStandardEntry } from './layout.ts';
import { looksRandom } from './looksRandom.ts';
import { allSettledOrThrow, entryIndexOf, tableRanges, withTable } from './tableRanges.ts';
import type { L2Table } from './tables.ts';
import { createClusterCompressor, type ClusterCompressor } from './zstdClusters.ts';

// Enough for the threads of the pool while one block is written: what is compressed waits in memory.
const maxWritesAtWork = 4;

/** A cluster as it goes to the file. */
interface Packed {
  readonly entryIndex: number;
  readonly bytes: Uint8Array;
  readonly isCompressed: boolean;
}

/** Neighbours in the file, written by one call. */
interface Run {
  readonly hostOffset: number;
  readonly pieces: Uint8Array[];
  endOffset: number;
}

async function pack(compressor: ClusterCompressor, entryIndex: number, part: Uint8Array): Promise<Packed> {
  let cluster = part;
  if (part.length < clusterBytes) {
    // The end of the disk: a cluster is always whole.
    cluster = new Uint8Array(clusterBytes);
    cluster.set(part);
  }
  const frame = looksRandom(cluster) ? null : await compressor.compress(cluster);
  return { entryIndex, bytes: frame ?? cluster, isCompressed: frame !== null };
}

function appendRun(runs: Run[], hostOffset: number, bytes: Uint8Array): void {
  const last = runs.at(-1);
  if (last !== undefined && last.endOffset === hostOffset) {
    last.pieces.push(bytes);
    last.endOffset += bytes.length;
  } else runs.push({ hostOffset, pieces: [bytes], endOffset: hostOffset + bytes.length });
}

/** Finds a place for each cluster: compressed ones byte by byte, the others on cluster boundaries. */
function place(image: ImageWriter, packed: readonly Packed[]): { runs: Run[]; offsets: number[] } {
  const plain: Run[] = [];
  const compressed: Run[] = [];
  const offsets = packed.map(({ bytes, isCompressed }) => {
    const offset = isCompressed ? image.allocator.packed(bytes.length) : image.allocator.clusters(1);
    appendRun(isCompressed ? compressed : plain, offset, bytes);
    return offset;
  });
  return { runs: [...plain, ...compressed], offsets };
}

/** Lets so many calls work at once; the others wait in order. */
function createGate(places: number): (work: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/** Writes clusters as zstd frames, and those that do not shrink as they are. A cluster that is written again gets a new place. */
export function createCompressedClusters(image: ImageWriter): ClusterWriter {
  const compressor = createClusterCompressor();
  const writeInTable = async (table: L2Table, packed: readonly Packed[]): Promise<void> => {
    const { runs, offsets } = place(image, packed);
    await allSettledOrThrow(runs.map((run) => image.file.write(run.hostOffset, run.pieces)));
    // Only now: a table never names a cluster whose data is not in the file.
    for (const [position, { entryIndex, bytes, isCompressed }] of packed.entries()) {
      const offset = offsets[position] ?? 0;
      if (isCompressed) writeCompressedEntry(table.entries, entryIndex, offset, bytes.length);
      else writeStandardEntry(table.entries, entryIndex, offset);
    }
    table.dirty = true;
  };
  const gate = createGate(maxWritesAtWork);
  return {
    alignmentBytes: clusterBytes,
    write: (offset, data) =>
      gate(async () => {
        for (const range of tableRanges(offset, data.length)) {
          const work: Promise<Packed>[] = [];
          for (let at = range.offsetBytes; at < range.offsetBytes + range.lengthBytes; at += clusterBytes) {
            const part = data.subarray(at - offset, Math.min(at - offset + clusterBytes, data.length));
            work.push(pack(compressor, entryIndexOf(at), part));
          }
          await allSettledOrThrow(work);
          const packed = await Promise.all(work);
          await withTable(image.tables, range.tableIndex, (table) => writeInTable(table, packed));
        }
      }),
    zeroPart: async () => {
      // Ranges are whole clusters here.
      await Promise.resolve();
    },
    close: () => compressor.close(),
  };
}
