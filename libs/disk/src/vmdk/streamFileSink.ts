import path from 'node:path';
import { openFileOutput } from '../outputs/fileOutput.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import { checkVmdkSize } from './sparseExtent.ts';
import { createStreamOptimizedSink } from './streamOptimizedSink.ts';

/**
 * A streamOptimized VMDK file. A stream cannot be gone on with: a resume starts it anew (`kept` is false).
 *
 * @throws {AppError} DISK_FORMAT_LIMIT, DISK_RANGE_INVALID, DISK_TARGET_EXISTS, DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openVmdkStreamFileSink(params: FileSinkParams): Promise<PartialFileSink> {
  const { finalPath, sizeBytes } = params;
  checkVmdkSize(sizeBytes);
  const output = await openFileOutput({ finalPath });
  const extentName = params.publishedName ?? path.basename(finalPath);
  const sink = createStreamOptimizedSink({ output, sizeBytes, extentName });
  return { sink, kept: false };
}
