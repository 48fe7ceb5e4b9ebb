import { openDirectSource } from './directSource.ts';
import type { DiskSource } from './diskSource.ts';
import { openNbdSource, type OpenSourceParams } from './nbdSource.ts';

/**
 * How the bytes are read. `nbd`: all by a private block server. `direct`: plain clusters from the files themselves, the rest by the block
 * server. `auto`: direct where the tables of the image are read here, which today is every format.
 */
export type SourceEngine = 'auto' | 'nbd' | 'direct';

/**
 * Opens a point in time for reading.
 *
 * @throws {AppError} DISK_SOURCE_BUSY, DISK_SOURCE_CHANGED, DISK_OPEN_FAILED, DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_IMAGE_DIRTY,
 * DISK_HEADER_INVALID, DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_SERVER_FAILED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openSource(
  params: OpenSourceParams & { readonly engine?: SourceEngine },
): Promise<DiskSource> {
  return params.engine === 'nbd' ? await openNbdSource(params) : await openDirectSource(params);
}
