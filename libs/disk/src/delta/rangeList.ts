import { AppError } from '@ascend/errors';
import type { Extent } from '../extent.ts';

// 24 bytes each: 96 MiB for a disk whose changes are as scattered as can be.
const maxRanges = 4 * 1024 * 1024;

/** Ranges of a disk in order, packed: a change of millions of clusters stays small in memory. */
export interface RangeList {
  /** Appends; ranges come in order. A neighbour of the same kind is merged. */
  add(extent: Extent): void;
  readonly count: number;
  readonly totalBytes: number;
  readonly dataBytes: number;
  [Symbol.iterator](): Iterator<Extent>;
  /** Sub-ranges of one range that are listed. */
  within(offsetBytes: number, lengthBytes: number): Iterable<{ offsetBytes: number; lengthBytes: number }>;
}

/** Index of the first range that ends behind an offset. */
function firstBehind(ends: readonly number[], offset: number): number {
  let [from, to] = [0, ends.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((ends[middle] ?? 0) > offset) to = middle;
    else from = middle + 1;
  }
  return from;
}

function tooScattered(): AppError {
  return new AppError({
    code: 'DISK_TARGET_UNSUPPORTED',
    message: `list changes: more than ${maxRanges} separate ranges`,
    hint: 'Make a full copy: with changes this scattered it is not slower.',
  });
}

/**
 * An empty list.
 *
 * @throws {AppError} from `add`: DISK_TARGET_UNSUPPORTED - more ranges than are kept in memory
 */
export function createRangeList(): RangeList {
  const starts: number[] = [];
  const ends: number[] = [];
  const zeros: boolean[] = [];
  let totalBytes = 0;
  let dataBytes = 0;
  const at = (index: number): Extent => {
    const offsetBytes = starts[index] ?? 0;
    const kind = zeros[index] === true ? 'zero' : 'data';
    return { offsetBytes, lengthBytes: (ends[index] ?? 0) - offsetBytes, kind };
  };
  return {
    add: ({ offsetBytes, lengthBytes, kind }) => {
      if (lengthBytes === 0) return;
      const isZero = kind !== 'data';
      totalBytes += lengthBytes;
      if (!isZero) dataBytes += lengthBytes;
      const last = ends.length - 1;
      if (ends[last] === offsetBytes && zeros[last] === isZero) {
        ends[last] = offsetBytes + lengthBytes;
        return;
      }
      if (ends.length >= maxRanges) {
        throw tooScattered();
      }
      starts.push(offsetBytes);
      ends.push(offsetBytes + lengthBytes);
      zeros.push(isZero);
    },
    get count() {
      return starts.length;
    },
    get totalBytes() {
      return totalBytes;
    },
    get dataBytes() {
      return dataBytes;
    },
    *[Symbol.iterator]() {
      for (let index = 0; index < starts.length; index += 1) yield at(index);
    },
    *within(offsetBytes, lengthBytes) {
      const end = offsetBytes + lengthBytes;
      for (let index = firstBehind(ends, offsetBytes); index < starts.length; index += 1) {
        const from = Math.max(starts[index] ?? 0, offsetBytes);
        if (from >= end) return;
        yield { offsetBytes: from, lengthBytes: Math.min(ends[index] ?? 0, end) - from };
      }
    },
  };
}
