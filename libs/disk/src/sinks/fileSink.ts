import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { changeFile } from '../fileErrors.ts';
import type { DiskSink } from '../sink.ts';
import { isOwnQcow2, openQcow2FileSink } from './qcow2FileSink.ts';
import { openRawFileSink, type FileSinkParams } from './rawFileSink.ts';

/** Which file to write. */
export interface OpenFileSinkParams {
  /** Written as `<finalPath>.partial` and renamed by `finish`; its folder is made when missing. */
  readonly finalPath: string;
  readonly format: 'raw' | 'qcow2';
  readonly sizeBytes: number;
  /** true: keep what an earlier attempt left in the partial file. */
  readonly resume: boolean;
  readonly workDir: string;
  readonly signal?: AbortSignal;
}

/** A file sink, and what of an earlier attempt it stands on. */
export interface OpenedFileSink {
  readonly sink: DiskSink;
  /** The final file is there with the right format and size: the sink does nothing. */
  readonly alreadyFinished: boolean;
  /**
   * What an earlier attempt wrote is still there. Danger: when false a copy must start at 0, whatever was confirmed before, since the
   * partial file was missing or unusable and has been made anew.
   */
  readonly kept: boolean;
}

const nothing = async (): Promise<void> => {
  await Promise.resolve();
};

/** A sink for a disk that is already there, or for bytes that are only counted and hashed. */
export function createNullSink(): DiskSink {
  return {
    alignmentBytes: 512,
    resumable: true,
    write: nothing,
    writeZeros: nothing,
    flush: nothing,
    finish: nothing,
    abort: nothing,
    suspend: nothing,
  };
}

async function isFinished(params: OpenFileSinkParams): Promise<boolean> {
  const facts = await stat(params.finalPath).catch(() => null);
  if (facts === null) return false;
  const same =
    params.format === 'raw'
      ? facts.isFile() && facts.size === params.sizeBytes
      : await isOwnQcow2(params.finalPath, params.sizeBytes);
  if (same) return true;
  throw new AppError({
    code: 'DISK_TARGET_EXISTS',
    message: `open target ${params.finalPath}: a file of that name is there and is no ${params.format} disk of ${params.sizeBytes} bytes`,
    details: { file: params.finalPath, sizeBytes: params.sizeBytes, format: params.format },
  });
}

/**
 * Opens a disk file to write. Deterministic by name: a finished file is adopted, a partial one continued when asked to.
 * Nothing ever stands under the final name but a complete, flushed disk.
 *
 * @throws {AppError} DISK_TARGET_EXISTS, DISK_RANGE_INVALID - a size of 0 or no multiple of 512; DISK_IO_FAILED,
 * DISK_SPACE_EXHAUSTED, DISK_SERVER_FAILED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openFileSink(params: OpenFileSinkParams): Promise<OpenedFileSink> {
  const { sizeBytes } = params;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0) {
    throw new AppError({
      code: 'DISK_RANGE_INVALID',
      message: `open target ${params.finalPath}: ${sizeBytes} is no size of a disk (a multiple of 512 bytes)`,
      details: { file: params.finalPath, sizeBytes },
    });
  }
  if (await isFinished(params)) return { sink: createNullSink(), alreadyFinished: true, kept: true };
  const folder = path.dirname(params.finalPath);
  await changeFile('make folder', folder, () => mkdir(folder, { recursive: true }));
  const sinkParams: FileSinkParams = { ...params, partialPath: `${params.finalPath}.partial` };
  const opened =
    params.format === 'raw' ? await openRawFileSink(sinkParams) : await openQcow2FileSink(sinkParams);
  return { ...opened, alreadyFinished: false };
}
