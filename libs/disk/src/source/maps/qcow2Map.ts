import type { ImageFile } from '../../formats/imageFile.ts';
import type { Qcow2Layout } from '../../formats/qcow2Layout.ts';
import { checkPlace, dataRun, mapError, plainRun, type LayerMap, type LayerRun } from './layerMap.ts';
import { directoryPageBytes, withPage, type TableCache, type TablePage } from './tableCache.ts';

// docs/interop/qcow2.txt of QEMU 7.2, "L1 table entry", "L2 table entry", "Extended L2 Entries"; all big-endian. An entry is handled
// as two halves, because bit operations of the language are 32 bits wide.
const offsetHighMask = 0x00ff_ffff;
const offsetLowMask = 0xffff_fe00;
const compressedHighBit = 0x4000_0000;
const zeroLowBit = 1;
const subclusters = 32;
/** L2 tables that are read ahead. */
const tablesAhead = 4;

function hostOffset(high: number, low: number): number {
  return (high & offsetHighMask) * 2 ** 32 + ((low & offsetLowMask) >>> 0);
}

/** States of a cluster or subcluster. */
const below = 0;
const zero = 1;
const served = 2;
const data = 3;

/** Reads the entries of L2 tables, one cluster or subcluster ("unit") at a time. */
class L2Reader {
  readonly entryBytes: number;
  readonly unitsPerCluster: number;
  readonly unitBytes: number;
  readonly #file: ImageFile;
  readonly #layout: Qcow2Layout;
  /** Where the unit lies whose state was asked last; only for `data`. */
  offsetBytes = 0;

  constructor(file: ImageFile, layout: Qcow2Layout) {
    this.#file = file;
    this.#layout = layout;
    this.entryBytes = layout.extendedL2 ? 16 : 8;
    this.unitsPerCluster = layout.extendedL2 ? subclusters : 1;
    this.unitBytes = layout.clusterBytes / this.unitsPerCluster;
  }

  /** @throws {AppError} DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED */
  stateOf(bytes: Buffer, at: number, subcluster: number): number {
    const high = bytes.readUInt32BE(at);
    const low = bytes.readUInt32BE(at + 4);
    const { extendedL2 } = this.#layout;
    // Most entries of a sparse disk are empty.
    if ((high | low) === 0 && !extendedL2) return below;
    if ((high & compressedHighBit) !== 0) return this.#compressed(high, low);
    const offset = hostOffset(high, low);
    // Clusters have at most 2 MiB: the lower half tells the alignment.
    if ((low & offsetLowMask & (this.#layout.clusterBytes - 1)) !== 0) {
      throw mapError(this.#file, `a cluster lies at ${offset}, which is not aligned`);
    }
    this.offsetBytes = offset + subcluster * this.unitBytes;
    if (extendedL2) return this.#extended(bytes, at + 8, subcluster, offset !== 0);
    if ((low & zeroLowBit) !== 0) {
      if (this.#layout.version >= 3) return zero;
      throw mapError(this.#file, 'a zero cluster in an image of version 2');
    }
    return offset === 0 ? below : data;
  }

  #extended(bytes: Buffer, at: number, subcluster: number, allocated: boolean): number {
    const zeros = bytes.readUInt32BE(at);
    const there = bytes.readUInt32BE(at + 4);
    if ((zeros & there) !== 0 || (!allocated && there !== 0)) {
      throw mapError(this.#file, 'the states of subclusters contradict each other');
    }
    const bit = 1 << subcluster;
    return (zeros & bit) !== 0 ? zero : (there & bit) !== 0 ? data : below;
  }

  /** Bits 0 to x-1 hold the offset, x = 62 - (cluster bits - 8). */
  #compressed(high: number, low: number): number {
    const highBits = 62 - (Math.log2(this.#layout.clusterBytes) - 8) - 32;
    const offset = (high & (2 ** highBits - 1)) * 2 ** 32 + low;
    if (offset >= this.#file.sizeBytes) {
      const problem = `a compressed cluster lies at ${offset}, the file ends at ${this.#file.sizeBytes}`;
      throw mapError(this.#file, problem, 'DISK_IMAGE_TRUNCATED');
    }
    return served;
  }
}

/** How many entries of 8 bytes are all zeros, from one on; at most `most`. */
function countEmpty(words: Uint32Array, entry: number, most: number): number {
  let word = entry >> 2;
  const end = Math.min(words.length - 1, word + most * 2);
  while (word < end && ((words[word] ?? 0) | (words[word + 1] ?? 0)) === 0) word += 2;
  return (word - (entry >> 2)) >> 1;
}

/** Neighbouring units of one state, contiguous in the file when they are data, up to the end of the page or the limit. */
function scanL2(
  reader: L2Reader,
  page: TablePage,
  entryAt: number,
  place: {
    readonly file: ImageFile;
    readonly layout: Qcow2Layout;
    readonly at: number;
    readonly end: number;
  },
): LayerRun {
  const { file, layout, at, end } = place;
  const { unitBytes, unitsPerCluster, entryBytes } = reader;
  const { bytes } = page;
  let entry = entryAt - page.offsetBytes;
  let unit = Math.floor((at % layout.clusterBytes) / unitBytes);
  const state = reader.stateOf(bytes, entry, unit);
  const start = reader.offsetBytes;
  let unitEnd = at - (at % unitBytes) + unitBytes;
  if (state === below && !layout.extendedL2) {
    // Most of a sparse disk: worth a loop of its own.
    const most = Math.ceil((end - unitEnd) / unitBytes);
    const empty = countEmpty(page.words, entry + entryBytes, most);
    entry += empty * entryBytes;
    unitEnd += empty * unitBytes;
  }
  for (let expected = start + unitBytes; unitEnd < end; expected += unitBytes, unitEnd += unitBytes) {
    unit += 1;
    if (unit === unitsPerCluster) {
      unit = 0;
      entry += entryBytes;
      if (entry + entryBytes > bytes.length) break;
    }
    if (reader.stateOf(bytes, entry, unit) !== state) break;
    if (state === data && reader.offsetBytes !== expected) break;
  }
  const runEnd = Math.min(unitEnd, layout.virtualSizeBytes);
  if (state === data) return dataRun(file, at, runEnd, start + (at % unitBytes), layout.reserved);
  return plainRun(state === zero ? 'zero' : state === served ? 'served' : 'below', at, runEnd);
}

/** The map of one QCOW2 file by its L1 and L2 tables. Encryption and external data files are refused before (`readQcow2Header`). */
export function createQcow2Map(file: ImageFile, layout: Qcow2Layout, cache: TableCache): LayerMap {
  const { clusterBytes, l1, virtualSizeBytes } = layout;
  const directory = cache.open(file, directoryPageBytes);
  const tables = cache.open(file);
  const reader = new L2Reader(file, layout);
  const entriesPerTable = clusterBytes / reader.entryBytes;
  const tableSpan = clusterBytes * entriesPerTable;

  /** L1 entries that are empty, as one run. */
  const skipEmpty = (page: TablePage, entryAt: number, at: number, limit: number): LayerRun => {
    let end = at - (at % tableSpan) + tableSpan;
    for (let next = entryAt - page.offsetBytes + 8; end < limit && next + 8 <= page.bytes.length; next += 8) {
      if (hostOffset(page.bytes.readUInt32BE(next), page.bytes.readUInt32BE(next + 4)) !== 0) break;
      end += tableSpan;
    }
    return plainRun('below', at, Math.min(end, virtualSizeBytes));
  };

  let warmedFrom = -1;
  /** Reads the tables behind one ahead, as far as the walk goes: it would else wait for each of them. */
  const warmNext = (page: TablePage, entryAt: number, limit: number): void => {
    if (entryAt === warmedFrom) return;
    warmedFrom = entryAt;
    let warmed = 0;
    const last = l1.offsetBytes + Math.ceil(limit / tableSpan) * 8;
    for (let next = entryAt + 8; next < last && warmed < tablesAhead; next += 8) {
      const entry = next - page.offsetBytes;
      if (entry + 8 > page.bytes.length) return;
      const l2 = hostOffset(page.bytes.readUInt32BE(entry), page.bytes.readUInt32BE(entry + 4));
      if (l2 === 0) continue;
      tables.warm(l2);
      warmed += 1;
    }
  };

  return {
    sizeBytes: virtualSizeBytes,
    runAt: (at, limit) => {
      const l1At = l1.offsetBytes + Math.floor(at / tableSpan) * 8;
      return withPage(directory.page(l1At), (l1Page) => {
        const entry = l1At - l1Page.offsetBytes;
        const l2 = hostOffset(l1Page.bytes.readUInt32BE(entry), l1Page.bytes.readUInt32BE(entry + 4));
        if (l2 === 0) return skipEmpty(l1Page, l1At, at, limit);
        if (l2 % clusterBytes !== 0) throw mapError(file, `an L2 table lies at ${l2}, which is not aligned`);
        checkPlace(file, 'an L2 table', l2, clusterBytes, layout.reserved);
        warmNext(l1Page, l1At, limit);
        const l2At = l2 + (Math.floor(at / clusterBytes) % entriesPerTable) * reader.entryBytes;
        const tableEnd = at - (at % tableSpan) + tableSpan;
        const end = Math.min(limit, tableEnd, virtualSizeBytes);
        return withPage(tables.page(l2At), (page) => scanL2(reader, page, l2At, { file, layout, at, end }));
      });
    },
  };
}
