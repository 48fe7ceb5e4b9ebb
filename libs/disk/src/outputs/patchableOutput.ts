import type { ByteOutput } from '../output.ts';

/** An output whose written bytes can be replaced later: for containers that name sizes before the data they belong to. */
export interface PatchableOutput extends ByteOutput {
  /** Bytes written so far. */
  readonly lengthBytes: number;
  /** Replaces bytes that were written before. Not while a `write` is pending. @throws {AppError} DISK_RANGE_INVALID, DISK_IO_FAILED */
  patch(offsetBytes: number, data: Uint8Array): Promise<void>;
}
