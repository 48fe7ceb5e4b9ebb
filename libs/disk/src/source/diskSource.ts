import type { Extent } from '../extent.ts';

/**
 * The bytes of one disk at one point in time, to be read in any order. All calls may overlap; after a cut every pending and later
 * call is rejected with a coded error. Whoever opened it closes it.
 */
export interface DiskSource {
  readonly sizeBytes: number;
  /** Extents of the range in order, without gap or overlap; looked up in windows as they are consumed, never the whole map at once. */
  extents(offsetBytes: number, lengthBytes: number): AsyncIterable<Extent>;
  /** Fills the whole of `target`; the buffer is in use until the promise settles. */
  readInto(offsetBytes: number, target: Uint8Array): Promise<void>;
  /** @throws {AppError} DISK_SOURCE_CHANGED - a file below is not the one that was opened */
  assertUnchanged(): Promise<void>;
  /** Idempotent; never throws. */
  close(): Promise<void>;
}
