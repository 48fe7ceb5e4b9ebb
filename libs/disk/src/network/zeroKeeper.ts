import { createWrittenCells } from '../sinks/writtenCells.ts';
import { createNamedRanges } from './namedRanges.ts';

/** What a target that is not ours holds before the first write. */
export interface TargetState {
  readonly sizeBytes: number;
  /** true: it is known to read as zeros everywhere, e.g. since it was just made. */
  readonly fresh: boolean;
  /** true: it holds what an earlier attempt wrote, and that counts. */
  readonly kept: boolean;
}

/** Decides which zeros must really be sent to a target. */
export interface ZeroKeeper {
  /** Call before data is written. */
  wrote(offsetBytes: number, lengthBytes: number): void;
  /** Parts of a zeroed range that must be written as zeros. */
  toZero(offsetBytes: number, lengthBytes: number): { offsetBytes: number; lengthBytes: number }[];
  /** Parts that nobody named and that may hold something old: to be zeroed before the disk counts as complete. */
  neverNamed(): { offsetBytes: number; lengthBytes: number }[];
}

/**
 * A device or object may hold the blocks of another disk: zeros are left out only where that is known to be safe. After a resume it is not
 * known what the earlier attempt named, so what is not named again is left alone; a copy names every part of the disk above its checkpoint.
 */
export function createZeroKeeper({ sizeBytes, fresh, kept }: TargetState): ZeroKeeper {
  const isClean = fresh && !kept;
  const cells = isClean ? createWrittenCells(sizeBytes) : null;
  const named = isClean || kept ? null : createNamedRanges();
  return {
    wrote: (offset, length) => {
      cells?.mark(offset, length);
      named?.add(offset, length);
    },
    toZero: (offset, length) => {
      named?.add(offset, length);
      if (length === 0) return [];
      return cells === null ? [{ offsetBytes: offset, lengthBytes: length }] : cells.marked(offset, length);
    },
    neverNamed: () => named?.missing(sizeBytes) ?? [],
  };
}
