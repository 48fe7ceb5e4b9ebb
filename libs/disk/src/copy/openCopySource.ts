import type { DiskSource } from '../source/diskSource.ts';
import type { OpenSourceParams } from '../source/nbdSource.ts';
import { openSource } from '../source/openSource.ts';

/** How a disk is read: `direct` = host offsets of plain clusters, `nbd` = all by a block server, `auto` = direct where that is possible. */
export type ReadEngine = 'auto' | 'nbd' | 'direct';

/** Which point in time to read, and how. */
export interface OpenCopySourceParams extends OpenSourceParams {
  readonly engine: ReadEngine;
}

/**
 * Opens the source of a copy: the one place where a copy chooses how to read.
 *
 * @throws {AppError} as `openSource`
 */
export function openCopySource(params: OpenCopySourceParams): Promise<DiskSource> {
  return openSource(params);
}
