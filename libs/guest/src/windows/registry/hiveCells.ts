import { baseBlockBytes, hiveError } from './hiveHeader.ts';

/** Reads cells: the pieces a hive consists of. Every offset that leads here was read from a hostile file. */
export interface HiveCells {
  /** The contents of the allocated cell at `offset`, at least `least` bytes. @throws {AppError} GUEST_HIVE_CORRUPT */
  cell(offset: number, least: number, what: string): Buffer;
  /** Most keys that fit into the bins: a list with more of them repeats itself. */
  readonly maxKeys: number;
  /**
   * Counts bytes that are put together from segments. Segments can be shared, so a small hive could ask for any amount.
   *
   * @throws {AppError} GUEST_HIVE_CORRUPT - far more than the hive has
   */
  spend(bytes: number): void;
}

const smallestKeyBytes = 80;
const freeBytes = 64 * 1024 * 1024;

/** Makes a reader over the bins of a hive. */
export function hiveCells(bytes: Buffer, binsBytes: number): HiveCells {
  const bins = bytes.subarray(baseBlockBytes, baseBlockBytes + binsBytes);
  if (bins.length < binsBytes) throw hiveError(`${binsBytes} bytes of bins, ${bins.length} are there`);
  let spent = 0;
  return {
    maxKeys: Math.floor(bins.length / smallestKeyBytes),
    spend: (count) => {
      spent += count;
      if (spent > bins.length * 64 + freeBytes)
        throw hiveError(`${spent} bytes of data in ${bins.length} bytes of bins`);
    },
    cell: (offset, least, what) => {
      if (offset % 8 !== 0 || offset < 32 || offset + 4 > bins.length) {
        throw hiveError(`${what}: no cell at ${offset}, the bins have ${bins.length} bytes`);
      }
      // Allocated cells have a negative size.
      const size = -bins.readInt32LE(offset);
      if (size < least + 4 || offset + size > bins.length) {
        throw hiveError(`${what}: the cell at ${offset} has ${size} bytes, ${least + 4} at least are needed`);
      }
      return bins.subarray(offset + 4, offset + size);
    },
  };
}

/** Offset that means "nothing there". */
export const noCell = 0xffffffff;
