import { checkFileSector, grainSectors, tableEntries } from './sparseExtent.ts';
import type { ExtentFile } from './extentFile.ts';
import { fileRuns, grainsOf, rangesByTable, type FileRun, type TableRange } from './grainPlacement.ts';
import type { GrainTables } from './grainTables.ts';

/** Puts the ranges of a disk into the grains of a file. Calls may overlap in time. */
export interface SparseExtentWriter {
  write(offsetBytes: number, data: Uint8Array): Promise<void>;
  zero(offsetBytes: number, lengthBytes: number): Promise<void>;
  /** First sector behind all grains. */
  nextSector(): number;
}

/** Waits for all, then throws what failed first: nothing may still write when the caller goes on. */
async function settleAll(calls: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(calls)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Where the grains of a disk lie in the file: named by a table, or on their way to be. */
function createGrainPlaces(firstFreeSector: number) {
  let nextSector = firstFreeSector;
  /** Grains that have a place and whose first write is under way (or has failed and will be tried again). */
  const unnamed = new Map<number, number>();
  return {
    nextSector: () => nextSector,
    find: (table: Buffer, grain: number): number | null => {
      const sector = table.readUInt32LE(4 * (grain % tableEntries));
      return sector === 0 ? (unnamed.get(grain) ?? null) : sector;
    },
    allocate: (grain: number): number => {
      checkFileSector(nextSector);
      const sector = nextSector;
      nextSector += grainSectors;
      unnamed.set(grain, sector);
      return sector;
    },
    /** Lets the table name the new grains of a range; true when there were any. */
    name: (table: Buffer, range: TableRange): boolean => {
      let changed = false;
      for (const grain of grainsOf(range)) {
        const sector = unnamed.get(grain);
        if (sector === undefined) continue;
        table.writeUInt32LE(sector, 4 * (grain % tableEntries));
        unnamed.delete(grain);
        changed = true;
      }
      return changed;
    },
  };
}

/**
 * Grains are appended in the order they are first touched; a grain of which only a part is written reads as zeros elsewhere, since the
 * file was never written there. A table names a grain only after its data was written.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT, DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export function createSparseExtentWriter(
  file: ExtentFile,
  tables: GrainTables,
  firstFreeSector: number,
): SparseExtentWriter {
  const places = createGrainPlaces(firstFreeSector);
  const runsOf = async (range: TableRange, place: typeof places.find): Promise<FileRun[]> => {
    let runs: FileRun[] = [];
    await tables.use(range.tableIndex, (table) => {
      runs = fileRuns(range, (grain) => place(table, grain));
      return false;
    });
    return runs;
  };
  return {
    nextSector: places.nextSector,
    write: async (offset, data) => {
      for (const range of rangesByTable(offset, data.length)) {
        const start = range.offsetBytes - offset;
        const runs = await runsOf(
          range,
          (table, grain) => places.find(table, grain) ?? places.allocate(grain),
        );
        await settleAll(
          runs.map(({ dataOffset, fileOffset, length }) =>
            file.write(fileOffset, data.subarray(start + dataOffset, start + dataOffset + length)),
          ),
        );
        await tables.use(range.tableIndex, (table) => places.name(table, range));
        if (tables.isFull()) await tables.flush();
      }
    },
    zero: async (offset, length) => {
      for (const range of rangesByTable(offset, length)) {
        if (!tables.isTouched(range.tableIndex)) continue;
        const runs = await runsOf(range, places.find);
        await settleAll(runs.map((run) => file.zero(run.fileOffset, run.length)));
      }
    },
  };
}
