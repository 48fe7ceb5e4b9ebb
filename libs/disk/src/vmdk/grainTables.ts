import { tableBytes } from './sparseExtent.ts';
import { tableOffset, type SparseLayout } from './sparseLayout.ts';
import type { ExtentFile } from './extentFile.ts';

// 4 MiB of tables, which map 64 GiB of disk.
const maxCached = 2048;
const maxDirty = 1024;

/** The grain tables of a file: a bounded part of them is in memory, changed ones until the next flush. */
export interface GrainTables {
  /** false: no grain of the table was ever touched, all of it reads as zeros. */
  isTouched(tableIndex: number): boolean;
  /**
   * Calls `run` with the table, read before if need be. Danger: the table is only valid inside `run`, which must not wait; when it returns
   * true the table is changed and is written by the next flush.
   */
  use(tableIndex: number, run: (table: Buffer) => boolean): Promise<void>;
  /** So many tables are changed that a flush is due. */
  isFull(): boolean;
  /** Makes the data durable, then the tables that name it as they are when this is called. */
  flush(): Promise<void>;
}

/** A set of table indexes. */
export interface Touched {
  has(tableIndex: number): boolean;
  add(tableIndex: number): void;
}

/** An empty set of table indexes; one bit each. */
export function createTouched(tableCount: number): Touched {
  const bits = new Uint8Array(Math.ceil(tableCount / 8));
  return {
    has: (index) => ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0,
    add: (index) => {
      bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
    },
  };
}

interface Snapshot {
  readonly firstIndex: number;
  readonly content: Buffer;
}

/** Changed tables that lie beside each other are one write. */
function snapshotOf(indexes: readonly number[], cache: ReadonlyMap<number, Buffer>): Snapshot[] {
  const runs: { firstIndex: number; tables: Buffer[] }[] = [];
  for (const index of indexes.toSorted((a, b) => a - b)) {
    const table = cache.get(index);
    if (table === undefined) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.firstIndex + last.tables.length === index) last.tables.push(table);
    else runs.push({ firstIndex: index, tables: [table] });
  }
  // A copy: the tables change while it is written.
  return runs.map(({ firstIndex, tables }) => ({ firstIndex, content: Buffer.concat(tables) }));
}

/** Tables in memory, least recently used first. Those that the file does not have yet stay. */
function createTableCache() {
  const tables = new Map<number, Buffer>();
  const dirty = new Set<number>();
  const onTheWay = new Set<number>();
  const makeRoom = (): void => {
    for (const index of tables.keys()) {
      if (tables.size < maxCached) return;
      if (!dirty.has(index) && !onTheWay.has(index)) tables.delete(index);
    }
  };
  return {
    tables,
    dirty,
    onTheWay,
    keep: (index: number, table: Buffer): void => {
      makeRoom();
      tables.set(index, table);
    },
    find: (index: number): Buffer | undefined => {
      const table = tables.get(index);
      if (table === undefined) return undefined;
      tables.delete(index);
      tables.set(index, table);
      return table;
    },
  };
}

type TableCache = ReturnType<typeof createTableCache>;

async function writeDirty(file: ExtentFile, layout: SparseLayout, cache: TableCache): Promise<void> {
  const indexes = [...cache.dirty];
  const snapshots = snapshotOf(indexes, cache.tables);
  cache.dirty.clear();
  for (const index of indexes) cache.onTheWay.add(index);
  try {
    await file.sync();
    if (indexes.length === 0) return;
    for (const { firstIndex, content } of snapshots) {
      for (const set of layout.tableSets) await file.write(tableOffset(set, firstIndex), content);
    }
    await file.sync();
  } catch (cause) {
    for (const index of indexes) cache.dirty.add(index);
    throw cause;
  } finally {
    for (const index of indexes) cache.onTheWay.delete(index);
  }
}

/** The tables of an open file; `touched` names those that may have entries. */
export function createGrainTables(
  file: ExtentFile,
  layout: SparseLayout,
  touched: Touched = createTouched(layout.tableCount),
): GrainTables {
  const cache = createTableCache();
  const loading = new Map<number, Promise<void>>();
  let flushing = Promise.resolve();

  const read = async (index: number): Promise<void> => {
    const table = Buffer.alloc(tableBytes);
    try {
      await file.readInto(tableOffset(layout.tableSets[1], index), table);
      cache.keep(index, table);
    } finally {
      loading.delete(index);
    }
  };
  const load = async (index: number): Promise<void> => {
    if (!touched.has(index)) {
      touched.add(index);
      cache.keep(index, Buffer.alloc(tableBytes));
      return;
    }
    const pending = loading.get(index) ?? read(index);
    loading.set(index, pending);
    await pending;
  };
  return {
    isTouched: (index) => touched.has(index),
    use: async (index, run) => {
      for (;;) {
        const table = cache.find(index);
        if (table !== undefined) {
          if (run(table)) cache.dirty.add(index);
          return;
        }
        await load(index);
      }
    },
    isFull: () => cache.dirty.size >= maxDirty,
    flush: () => {
      const mine = flushing.then(() => writeDirty(file, layout, cache));
      flushing = mine.catch(() => undefined);
      return mine;
    },
  };
}
