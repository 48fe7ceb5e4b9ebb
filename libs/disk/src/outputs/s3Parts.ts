import { AppError } from '@ascend/errors';

const mib = 1024 * 1024;

/** Limits of a multipart upload; source: "Amazon S3 multipart upload limits" of the S3 user guide, read 2026-07. */
export const s3Limits = { minPartBytes: 5 * mib, maxPartBytes: 5 * 1024 * mib, maxParts: 10_000 } as const;

const usualPartBytes = 16 * mib;
// Up to 625 GiB when nothing is known about the length.
const unknownPartBytes = 64 * mib;

function tooLong(expectedBytes: number, partBytes: number): AppError {
  const { maxParts } = s3Limits;
  return new AppError({
    code: 'DISK_OUTPUT_REJECTED',
    message: `upload ${expectedBytes} bytes: ${maxParts} parts of ${partBytes} bytes are the most that an object can have`,
    details: { expectedBytes, partBytes, maxParts },
  });
}

/**
 * Size of the parts of an upload, all alike but the last. Small parts need less memory and are repeated faster; a long object needs
 * larger ones, since their number is limited.
 *
 * @throws {AppError} DISK_OUTPUT_REJECTED - a wanted size outside 5 MiB to 5 GiB, or more than 10,000 parts
 */
export function s3PartBytes(params: {
  /** Upper bound of the object's length; null = unknown. */
  readonly expectedBytes: number | null;
  /** The caller's wish; null = chosen here. */
  readonly wantedBytes: number | null;
}): number {
  const { minPartBytes, maxPartBytes, maxParts } = s3Limits;
  const { expectedBytes, wantedBytes } = params;
  const needed = Math.ceil((expectedBytes ?? 0) / maxParts / mib) * mib;
  const usual = expectedBytes === null ? unknownPartBytes : Math.max(usualPartBytes, needed);
  const partBytes = wantedBytes ?? usual;
  if (partBytes < minPartBytes || partBytes > maxPartBytes || partBytes < needed)
    throw tooLong(expectedBytes ?? 0, partBytes);
  return partBytes;
}

/** How many part buffers are held: one is filled while others are on their way. At least 2, at most `memoryBytes` beyond that. */
export function s3Buffers(partBytes: number, concurrency: number, memoryBytes: number): number {
  return Math.max(2, Math.min(concurrency + 1, Math.floor(memoryBytes / partBytes)));
}
