import { AppError, type ErrorCode } from '@ascend/errors';
import type { ImageFile } from '../../formats/imageFile.ts';

/**
 * What a layer says about a part of its disk. `data`: lies in the file as it is; `served`: is there, but only the block server
 * can read it (compressed, for one); `zero`: reads as zeros whatever is below; `below`: the layer has nothing here.
 */
export type LayerRunKind = 'data' | 'served' | 'zero' | 'below';

/** A run of one kind in a layer, in bytes of the disk. */
export interface LayerRun {
  readonly startBytes: number;
  readonly endBytes: number;
  readonly kind: LayerRunKind;
  /** For `data`: the file, and the place of `startBytes` in it. The whole run lies inside the file. */
  readonly file: ImageFile | null;
  readonly fileOffsetBytes: number;
}

/** The allocation map of one image file, read from its own tables. Every number in a table is checked before it is used. */
export interface LayerMap {
  readonly sizeBytes: number;
  /**
   * The run that covers an offset; it starts there, and need not be longest. Entries at and behind `limitBytes` are not looked at,
   * where that saves work. A promise only when a table must be read.
   *
   * @throws {AppError} (also by the promise) DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_FILE_UNREADABLE
   */
  runAt(offsetBytes: number, limitBytes: number): LayerRun | Promise<LayerRun>;
}

/** A part of a file. */
export interface FileRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** A run without a place in a file. */
export function plainRun(
  kind: Exclude<LayerRunKind, 'data'>,
  startBytes: number,
  endBytes: number,
): LayerRun {
  return { startBytes, endBytes, kind, file: null, fileOffsetBytes: 0 };
}

/** The error for a table that cannot be right; message: `map <file>: <problem>`. */
export function mapError(file: ImageFile, problem: string, code: ErrorCode = 'DISK_IMAGE_CORRUPT'): AppError {
  return new AppError({
    code,
    message: `map ${file.label}: ${problem}`,
    details: { file: file.label, sizeBytes: file.sizeBytes },
  });
}

/**
 * Checks where a table puts something: inside the file, and not on top of other metadata.
 *
 * @throws {AppError} DISK_IMAGE_TRUNCATED, DISK_IMAGE_CORRUPT
 */
export function checkPlace(
  file: ImageFile,
  what: string,
  offsetBytes: number,
  lengthBytes: number,
  reserved: readonly FileRange[],
): void {
  const end = offsetBytes + lengthBytes;
  if (end > file.sizeBytes) {
    const problem = `${what} at ${offsetBytes} ends at ${end}, the file at ${file.sizeBytes}`;
    throw mapError(file, problem, 'DISK_IMAGE_TRUNCATED');
  }
  for (const range of reserved) {
    if (offsetBytes < range.offsetBytes + range.lengthBytes && range.offsetBytes < end) {
      throw mapError(file, `${what} at ${offsetBytes} lies on top of the metadata at ${range.offsetBytes}`);
    }
  }
}

/**
 * A run of data, checked. One that ends behind the end of the file is told up to there: what is left of a cut file can be read, and
 * only the lost part is an error.
 *
 * @throws {AppError} DISK_IMAGE_TRUNCATED - not even its start is in the file; DISK_IMAGE_CORRUPT
 */
export function dataRun(
  file: ImageFile,
  startBytes: number,
  endBytes: number,
  fileOffsetBytes: number,
  reserved: readonly FileRange[],
): LayerRun {
  const fits = file.sizeBytes - fileOffsetBytes;
  const lengthBytes = fits > 0 ? Math.min(fits, endBytes - startBytes) : endBytes - startBytes;
  checkPlace(file, `the data of ${startBytes}`, fileOffsetBytes, lengthBytes, reserved);
  return { startBytes, endBytes: startBytes + lengthBytes, kind: 'data', file, fileOffsetBytes };
}
