import type { SourceFormat } from '@ascend/domain';
import { AppError, type ErrorCode, type ErrorDetails } from '@ascend/errors';

/** What the header of one image file says, checked against the file's size; nothing of it was believed unread. */
export interface ImageHeader {
  readonly format: SourceFormat;
  readonly virtualSizeBytes: number;
  /** The backing file exactly as recorded, and its recorded format (null = not recorded). */
  readonly backing: { readonly name: string; readonly format: SourceFormat | null } | null;
  /** Byte range of the first-level table, part of the fingerprint; null for formats without one. */
  readonly l1: { readonly offsetBytes: number; readonly lengthBytes: number } | null;
  readonly clusterBytes: number | null;
  /** Base names of files beside this one that hold the data (VMDK descriptors). */
  readonly extentFiles: readonly string[];
  /** false: a writer died with it open; QCOW2 reference counts may be stale, the content is sound. */
  readonly closedCleanly: boolean;
}

/** Random access to the bytes of one image file. */
export interface ByteReader {
  readonly label: string;
  readonly sizeBytes: number;
  /** @throws {AppError} DISK_IMAGE_TRUNCATED - the range ends behind the end of the file; DISK_FILE_UNREADABLE */
  readAt(offsetBytes: number, lengthBytes: number): Promise<Buffer>;
}

/** The error for a header that cannot be right; message: `read header <label>: <problem>`. */
export function headerError(
  label: string,
  problem: string,
  code: ErrorCode = 'DISK_HEADER_INVALID',
  details: ErrorDetails = {},
): AppError {
  return new AppError({
    code,
    message: `read header ${label}: ${problem}`,
    details: { file: label, ...details },
  });
}

/**
 * A 64-bit number of a header as a JavaScript number.
 *
 * @throws {AppError} DISK_HEADER_INVALID - above 2^53-1
 */
export function safeNumber(value: bigint, label: string, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw headerError(label, `${what} ${value} is impossible`);
  return Number(value);
}

// Four times what the largest platforms hold. A few hundred KiB can claim petabytes of nothing, which take hours to walk and to hash.
const maxVirtualBytes = 256 * 1024 ** 4;

/**
 * A virtual size as the block layer will present it.
 *
 * @throws {AppError} DISK_HEADER_INVALID - zero, or not a multiple of 512; DISK_FORMAT_UNSUPPORTED - above 256 TiB
 */
export function checkedVirtualSize(sizeBytes: number, label: string): number {
  if (sizeBytes <= 0) throw headerError(label, 'the virtual size is 0');
  if (sizeBytes % 512 !== 0) throw headerError(label, `the virtual size ${sizeBytes} is no multiple of 512`);
  if (sizeBytes > maxVirtualBytes) {
    throw headerError(
      label,
      `the virtual size ${sizeBytes} is above ${maxVirtualBytes}, the most that is read`,
      'DISK_FORMAT_UNSUPPORTED',
    );
  }
  return sizeBytes;
}
