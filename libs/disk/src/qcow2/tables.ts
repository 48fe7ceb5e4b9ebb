import { clusterBytes, readL1Entry, writeStandardEntry } from './layout.ts';
import { l1Offset } from './ownHeader.ts';
import type { TableFile } from './tableFile.ts';

/** An L2 table in memory. */
export interface L2Table {
  readonly index: number;
  /** The entries as in the file; whoever changes one sets `dirty`. */
  readonly entries: Buffer;
  dirty: boolean;
}

/** The L1 table and the L2 tables in use. Entries are set only when the data they name has been written. */
export interface Tables {
  /** May there be anything in the 512 MiB that this L2 table describes? */
  has(index: number): boolean;
  /** Loads a table, or makes an empty one; it stays in memory until `unpin`. @throws {AppError} DISK_IO_FAILED */
  pin(index: number): Promise<L2Table>;
  unpin(table: L2Table): void;
  /**
   * Makes all data written so far durable, then the changed L2 tables, then L1: a file cut at any moment names only data that is
   * there. Calls wait for each other. @throws {AppError} DISK_SPACE_EXHAUSTED, DISK_IO_FAILED - what failed is tried again by the next call
   */
  flush(): Promise<void>;
  /** Offsets of all L2 tables of the file; valid after a flush. */
  offsets(): Iterable<number>;
}

/** Whose tables. */
export interface TablesParams {
  readonly file: TableFile;
  /** The bytes of the L1 table, checked. Changed in place. */
  readonly l1: Buffer;
  /** Takes one new cluster and returns its offset. */
  readonly allocateCluster: () => number;
  /** Tables kept in memory (64 KiB each); more only while more are in use at once. */
  readonly maxTables: number;
}

interface Slot {
  readonly table: L2Table;
  readonly ready: Promise<void>;
  pins: number;
}

/** Writes snapshots of the dirty tables, in the order that keeps the file sound. */
async function writeTables(
  params: TablesParams,
  slots: readonly Slot[],
  l1Dirty: Set<number>,
): Promise<void> {
  const { file, l1 } = params;
  // Taken before the data is made durable: entries set from here on may name data that is not.
  const copies = slots.map(({ table }) => {
    if (readL1Entry(l1, table.index) === 0) {
      writeStandardEntry(l1, table.index, params.allocateCluster());
      l1Dirty.add(table.index);
    }
    table.dirty = false;
    return { offset: readL1Entry(l1, table.index) ?? 0, bytes: Buffer.from(table.entries) };
  });
  const named = [...l1Dirty];
  await file.sync();
  if (copies.length > 0) {
    for (const { offset, bytes } of copies) await file.write(offset, [bytes]);
    await file.sync();
  }
  if (named.length === 0) return;
  for (const index of named) {
    await file.write(l1Offset + index * 8, [l1.subarray(index * 8, index * 8 + 8)]);
  }
  await file.sync();
  for (const index of named) l1Dirty.delete(index);
}

/** L2 tables in memory, in order of use. */
function createSlots(params: TablesParams) {
  const { file, l1, maxTables } = params;
  // The first was used longest ago.
  const slots = new Map<number, Slot>();
  // Tables that were dropped, to be used again: memory outside of the heap is given back late.
  const spare: Buffer[] = [];
  const load = (index: number): Slot => {
    const offset = readL1Entry(l1, index) ?? 0;
    const table: L2Table = {
      index,
      entries: spare.pop()?.fill(0) ?? Buffer.alloc(clusterBytes),
      dirty: false,
    };
    const fill = async (): Promise<void> => {
      if (offset === 0) return;
      const found = await file.read(offset, clusterBytes, table.entries);
      if (found !== table.entries) found.copy(table.entries);
    };
    return { table, ready: fill(), pins: 0 };
  };
  return {
    has: (index: number): boolean => slots.has(index),
    isFull: (): boolean => slots.size >= maxTables,
    dirty: (): Slot[] => [...slots.values()].filter(({ table }) => table.dirty),
    dropUnused: (): void => {
      for (const [index, slot] of slots) {
        if (slots.size < maxTables) return;
        if (slot.pins > 0 || slot.table.dirty) continue;
        slots.delete(index);
        spare.push(slot.table.entries);
      }
    },
    pin: async (index: number): Promise<L2Table> => {
      const slot = slots.get(index) ?? load(index);
      slots.delete(index);
      slots.set(index, slot);
      slot.pins += 1;
      try {
        await slot.ready;
      } catch (cause) {
        slot.pins -= 1;
        if (slots.get(index) === slot) slots.delete(index);
        throw cause;
      }
      return slot.table;
    },
    unpin: (index: number): void => {
      const slot = slots.get(index);
      if (slot !== undefined) slot.pins -= 1;
    },
  };
}

/** Opens the tables of an image. */
export function createTables(params: TablesParams): Tables {
  const { l1 } = params;
  const slots = createSlots(params);
  const l1Dirty = new Set<number>();
  let lastFlush: Promise<void> = Promise.resolve();

  const flushNow = async (): Promise<void> => {
    const dirty = slots.dirty();
    // A table whose snapshot is under way must not be dropped and read back.
    for (const slot of dirty) slot.pins += 1;
    try {
      await writeTables(params, dirty, l1Dirty);
    } catch (cause) {
      for (const { table } of dirty) table.dirty = true;
      throw cause;
    } finally {
      for (const slot of dirty) slot.pins -= 1;
    }
  };
  const flush = async (): Promise<void> => {
    const mine = lastFlush.then(flushNow);
    lastFlush = mine.catch(() => undefined);
    await mine;
  };
  const makeRoom = async (): Promise<void> => {
    slots.dropUnused();
    if (!slots.isFull()) return;
    await flush();
    slots.dropUnused();
  };

  return {
    has: (index) => slots.has(index) || readL1Entry(l1, index) !== 0,
    pin: async (index) => {
      if (!slots.has(index) && slots.isFull()) await makeRoom();
      return await slots.pin(index);
    },
    unpin: (table) => slots.unpin(table.index),
    flush,
    *offsets() {
      for (let index = 0; index * 8 < l1.length; index += 1) {
        const offset = readL1Entry(l1, index) ?? 0;
        if (offset !== 0) yield offset;
      }
    },
  };
}
