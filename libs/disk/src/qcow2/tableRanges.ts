import { clusterBytes, l2Entries, l2SpanBytes } from './layout.ts';
import type { L2Table, Tables } from './tables.ts';

/** The part of a range that one L2 table describes; bytes of the virtual disk. */
export interface TableRange {
  readonly tableIndex: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Cuts a range of the disk at the borders of L2 tables (512 MiB). */
export function* tableRanges(offsetBytes: number, lengthBytes: number): Generator<TableRange> {
  const end = offsetBytes + lengthBytes;
  for (let at = offsetBytes; at < end;) {
    const tableIndex = Math.floor(at / l2SpanBytes);
    const stop = Math.min(end, (tableIndex + 1) * l2SpanBytes);
    yield { tableIndex, offsetBytes: at, lengthBytes: stop - at };
    at = stop;
  }
}

/** Number of a cluster within its L2 table. */
export function entryIndexOf(offsetBytes: number): number {
  return Math.floor(offsetBytes / clusterBytes) % l2Entries;
}

/** Runs work with a table that stays in memory until it has ended. */
export async function withTable<T>(
  tables: Tables,
  tableIndex: number,
  run: (table: L2Table) => Promise<T>,
): Promise<T> {
  const table = await tables.pin(tableIndex);
  try {
    return await run(table);
  } finally {
    tables.unpin(table);
  }
}

/** Waits for all; then throws the first failure, so that no buffer is in use any more. */
export async function allSettledOrThrow(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
