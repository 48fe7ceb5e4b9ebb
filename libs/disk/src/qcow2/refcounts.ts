import { AppError } from '@ascend/errors';
import { clusterBytes, l2Entries, readL2Entry, refcountsPerBlock, roundToClusters } from './layout.ts';
import { firstRefcountTableOffset } from './ownHeader.ts';
import type { TableFile } from './tableFile.ts';

/** Host clusters counted in one pass over the tables (16 MiB of counts, 512 GiB of file). */
const windowClusters = 8 * 1024 * 1024;
const exclusive = 0x8000;

/** Where reference counts go. */
export interface RefcountPlace {
  readonly tableOffset: number;
  readonly tableClusters: number;
  readonly blocksOffset: number;
  readonly blocks: number;
  /** End of the file with them. */
  readonly endOffset: number;
}

/** Places the refcount blocks, and a larger table where the first one is too small, behind `endOffset` (a cluster boundary). */
export function placeRefcounts(endOffset: number): RefcountPlace {
  const used = endOffset / clusterBytes;
  let blocks = 0;
  let moved = 0;
  // Blocks and table count themselves: a few rounds find the numbers.
  for (;;) {
    const wantedBlocks = Math.ceil((used + blocks + moved) / refcountsPerBlock);
    const tableClusters = roundToClusters(wantedBlocks * 8) / clusterBytes;
    const wantedMoved = tableClusters > 1 ? tableClusters : 0;
    if (wantedBlocks === blocks && wantedMoved === moved) break;
    blocks = wantedBlocks;
    moved = wantedMoved;
  }
  const blocksOffset = endOffset;
  const tableOffset = moved === 0 ? firstRefcountTableOffset : blocksOffset + blocks * clusterBytes;
  return {
    tableOffset,
    tableClusters: Math.max(1, moved),
    blocksOffset,
    blocks,
    endOffset: endOffset + (blocks + moved) * clusterBytes,
  };
}

/** The tables whose references are counted. */
export interface RefcountParams {
  readonly file: TableFile;
  /** Bytes in front of everything that is allocated: header, first refcount table, L1. */
  readonly headBytes: number;
  readonly place: RefcountPlace;
  /** Offsets of the L2 tables; walked once per pass. */
  readonly l2Offsets: () => Iterable<number>;
}

/** Counts of a window of host clusters; what lies outside is another pass's. */
function createWindow(first: number, counts: Uint16Array, file: TableFile) {
  const doubled = (cluster: number): AppError =>
    new AppError({
      code: 'DISK_IMAGE_CORRUPT',
      message: `count references of ${file.path}: the cluster at ${cluster * clusterBytes} is named twice`,
      details: { file: file.path, offsetBytes: cluster * clusterBytes },
    });
  return {
    /** A cluster that only one entry may name. */
    own: (offset: number, clusters: number): void => {
      const from = offset / clusterBytes;
      for (let cluster = from; cluster < from + clusters; cluster += 1) {
        const slot = cluster - first;
        if (slot < 0 || slot >= counts.length) continue;
        if (counts[slot] !== 0) throw doubled(cluster);
        counts[slot] = exclusive;
      }
    },
    /** The clusters that compressed data touches. */
    share: (offset: number, lengthBytes: number): void => {
      const last = Math.floor((offset + lengthBytes - 1) / clusterBytes);
      for (let cluster = Math.floor(offset / clusterBytes); cluster <= last; cluster += 1) {
        const slot = cluster - first;
        if (slot < 0 || slot >= counts.length) continue;
        const count = counts[slot] ?? 0;
        if (count === exclusive) throw doubled(cluster);
        counts[slot] = count + 1;
      }
    },
  };
}

type Window = ReturnType<typeof createWindow>;

function countTable(window: Window, table: Buffer): void {
  for (let index = 0; index < l2Entries; index += 1) {
    const entry = readL2Entry(table, index);
    if (entry.kind === 'standard') window.own(entry.offset, 1);
    else if (entry.kind === 'compressed') window.share(entry.offset, entry.lengthBytes);
  }
}

function countMetadata(window: Window, params: RefcountParams): void {
  const { headBytes, place } = params;
  const keepsFirst = place.tableOffset === firstRefcountTableOffset;
  window.own(0, 1);
  if (keepsFirst) window.own(firstRefcountTableOffset, 1);
  const l1Offset = 2 * clusterBytes;
  window.own(l1Offset, (headBytes - l1Offset) / clusterBytes);
  window.own(place.blocksOffset, place.blocks);
  if (!keepsFirst) window.own(place.tableOffset, place.tableClusters);
}

async function writeWindow(params: RefcountParams, first: number, counts: Uint16Array): Promise<void> {
  const { file, place } = params;
  const block = Buffer.alloc(clusterBytes);
  for (let from = 0; from < counts.length; from += refcountsPerBlock) {
    block.fill(0);
    for (let slot = 0; slot < refcountsPerBlock && from + slot < counts.length; slot += 1) {
      const count = counts[from + slot] ?? 0;
      block.writeUInt16BE(count === exclusive ? 1 : count, slot * 2);
    }
    const index = (first + from) / refcountsPerBlock;
    await file.write(place.blocksOffset + index * clusterBytes, [block]);
  }
}

async function writeRefcountTable({ file, place }: RefcountParams): Promise<void> {
  const table = Buffer.alloc(place.tableClusters * clusterBytes);
  for (let index = 0; index < place.blocks; index += 1) {
    table.writeBigUInt64BE(BigInt(place.blocksOffset + index * clusterBytes), index * 8);
  }
  await file.write(place.tableOffset, [table]);
}

/**
 * Counts what the tables of the file name and writes it as refcount blocks and table. Nothing about references is kept while an image is
 * written; so the counts are right after a resume too. Not durable before the next sync.
 *
 * @throws {AppError} DISK_IMAGE_CORRUPT - a cluster is named twice; DISK_SPACE_EXHAUSTED, DISK_IO_FAILED
 */
export async function writeRefcounts(params: RefcountParams): Promise<void> {
  const { file, place } = params;
  const total = place.endOffset / clusterBytes;
  const counts = new Uint16Array(Math.min(windowClusters, total));
  const table = Buffer.alloc(clusterBytes);
  for (let first = 0; first < total; first += windowClusters) {
    const part = counts.subarray(0, Math.min(windowClusters, total - first)).fill(0);
    const window = createWindow(first, part, file);
    countMetadata(window, params);
    for (const offset of params.l2Offsets()) {
      window.own(offset, 1);
      countTable(window, await file.read(offset, clusterBytes, table));
    }
    await writeWindow(params, first, part);
  }
  await writeRefcountTable(params);
}
