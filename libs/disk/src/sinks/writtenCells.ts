import { AppError } from '@ascend/errors';

/** Size of a cell; `copyDisk` works in blocks of the same size, so its blocks never share a cell. */
const cellBytes = 1024 * 1024;

/** Which parts of a target may hold something else than zeros. One bit per MiB: 8 MiB of memory for 64 TiB. */
export interface WrittenCells {
  mark(offsetBytes: number, lengthBytes: number): void;
  /** The sub-ranges that may hold data, neighbours merged. */
  marked(offsetBytes: number, lengthBytes: number): { offsetBytes: number; lengthBytes: number }[];
}

/** A map of a fresh target: nothing is marked. */
export function createWrittenCells(sizeBytes: number): WrittenCells {
  const bits = new Uint8Array(Math.ceil(sizeBytes / cellBytes / 8));
  const isMarked = (cell: number): boolean => ((bits[cell >> 3] ?? 0) & (1 << (cell & 7))) !== 0;
  return {
    mark: (offset, length) => {
      if (length === 0) return;
      const last = Math.floor((offset + length - 1) / cellBytes);
      for (let cell = Math.floor(offset / cellBytes); cell <= last; cell += 1) {
        bits[cell >> 3] = (bits[cell >> 3] ?? 0) | (1 << (cell & 7));
      }
    },
    marked: (offset, length) => {
      const ranges: { offsetBytes: number; lengthBytes: number }[] = [];
      const end = offset + length;
      for (let at = offset; at < end;) {
        const cell = Math.floor(at / cellBytes);
        const stop = Math.min((cell + 1) * cellBytes, end);
        const previous = ranges.at(-1);
        if (isMarked(cell)) {
          if (previous !== undefined && previous.offsetBytes + previous.lengthBytes === at) {
            previous.lengthBytes += stop - at;
          } else ranges.push({ offsetBytes: at, lengthBytes: stop - at });
        }
        at = stop;
      }
      return ranges;
    },
  };
}

/**
 * Refuses a range that a sink must not be given.
 *
 * @throws {AppError} DISK_RANGE_INVALID - outside the disk, or not aligned
 */
export function checkSinkRange(
  disk: { readonly sizeBytes: number; readonly alignmentBytes: number },
  offsetBytes: number,
  lengthBytes: number,
): void {
  const { sizeBytes, alignmentBytes } = disk;
  const end = offsetBytes + lengthBytes;
  const inside =
    Number.isSafeInteger(offsetBytes) && offsetBytes >= 0 && lengthBytes >= 0 && end <= sizeBytes;
  const aligned = offsetBytes % alignmentBytes === 0 && (end % alignmentBytes === 0 || end === sizeBytes);
  if (inside && aligned) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `write ${lengthBytes} bytes at ${offsetBytes}: outside ${sizeBytes} bytes or not aligned to ${alignmentBytes}`,
    details: { offsetBytes, lengthBytes, sizeBytes, alignmentBytes },
  });
}
