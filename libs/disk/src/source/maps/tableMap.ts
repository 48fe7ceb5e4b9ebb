import type { ImageFile } from '../../formats/imageFile.ts';
import {
  dataRun,
  plainRun,
  type FileRange,
  type LayerMap,
  type LayerRun,
  type LayerRunKind,
} from './layerMap.ts';
import { withPage, type TableFile, type TablePage } from './tableCache.ts';

/** What one entry of a block table says. */
export interface BlockState {
  readonly kind: LayerRunKind;
  /** For `data`: where the block starts in the file. */
  readonly fileOffsetBytes: number;
}

/** A disk made of blocks of one size, whose states stand in a table in order of the disk. */
export interface BlockTable {
  readonly file: ImageFile;
  readonly tables: TableFile;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly entryBytes: number;
  /** The run of the disk that shares a table with an offset, and where the entry of its first block is; null: there is no table. */
  readonly tableAt: (offsetBytes: number) => TableSpan | Promise<TableSpan>;
  /** @throws {AppError} DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED */
  readonly stateOf: (bytes: Buffer, at: number) => BlockState;
  /** Ranges of the file where no data can lie. */
  readonly reserved: readonly FileRange[];
}

/** A run of the disk whose entries lie side by side. */
export interface TableSpan {
  readonly startBytes: number;
  readonly endBytes: number;
  readonly entryBytes: number | null;
}

function scan(table: BlockTable, page: TablePage, entryAt: number, at: number, end: number): LayerRun {
  const { blockBytes, entryBytes } = table;
  let entry = entryAt - page.offsetBytes;
  const first = table.stateOf(page.bytes, entry);
  let blockEnd = at - (at % blockBytes) + blockBytes;
  for (let blocks = 1; blockEnd < end; blocks += 1, blockEnd += blockBytes) {
    entry += entryBytes;
    if (entry + entryBytes > page.bytes.length) break;
    const next = table.stateOf(page.bytes, entry);
    if (next.kind !== first.kind) break;
    if (first.kind === 'data' && next.fileOffsetBytes !== first.fileOffsetBytes + blocks * blockBytes) break;
  }
  const runEnd = Math.min(blockEnd, table.sizeBytes);
  if (first.kind !== 'data') return plainRun(first.kind, at, runEnd);
  return dataRun(table.file, at, runEnd, first.fileOffsetBytes + (at % blockBytes), table.reserved);
}

/** The map of a file by a table with an entry for each block. */
export function createTableMap(table: BlockTable): LayerMap {
  const inSpan = (span: TableSpan, at: number, limit: number): LayerRun | Promise<LayerRun> => {
    const end = Math.min(span.endBytes, limit, table.sizeBytes);
    if (span.entryBytes === null) return plainRun('below', at, Math.min(span.endBytes, table.sizeBytes));
    const index = Math.floor((at - span.startBytes) / table.blockBytes);
    const entryAt = span.entryBytes + index * table.entryBytes;
    return withPage(table.tables.page(entryAt), (page) => scan(table, page, entryAt, at, end));
  };
  return {
    sizeBytes: table.sizeBytes,
    runAt: (at, limit) => {
      const span = table.tableAt(at);
      return span instanceof Promise
        ? span.then((found) => inSpan(found, at, limit))
        : inSpan(span, at, limit);
    },
  };
}
