import { AppError, isAppError, toAppError } from '@ascend/errors';
import { systemClock, type Clock } from '@ascend/runtime';
import type { DiskImage } from '../blockdev.ts';
import { createNullSink } from '../sinks/fileSink.ts';
import type { CopyResult, DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { openNbdSource } from '../source/nbdSource.ts';
import { blockBytes, dataBytesOf, planBlocks } from './blockPlan.ts';
import { runBlocks, type CopyProgress } from './runBlocks.ts';

// Smallest piece that is read, tested for zeros and written: the usual cluster of QCOW2.
const minUnitBytes = 64 * 1024;

/** One disk to copy. */
export interface CopyDiskParams {
  readonly image: DiskImage;
  /** Stays open: the caller finishes, suspends or aborts it. */
  readonly sink: DiskSink;
  /** Size of the target disk, at least that of the source; what lies behind the source's end is zeros. */
  readonly targetSizeBytes: number;
  readonly workDir: string;
  readonly signal: AbortSignal;
  /** null = no cap. */
  readonly bandwidthBytesPerSecond: number | null;
  /** 0, or the last confirmed offset of an earlier attempt: the part below it is read again for the digest but not written. */
  readonly resumeFromBytes: number;
  /** Absolute counters; called about once per MiB. */
  readonly onProgress: (progress: CopyProgress) => void;
  /** Called with growing offsets, after a flush of the sink: everything below is durable. About every 64 MiB or 5 s. */
  readonly onConfirmed: (offsetBytes: number) => Promise<void>;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

function checkParams(params: CopyDiskParams, unitBytes: number): void {
  const sourceBytes = params.image.chain.virtualSizeBytes;
  if (params.targetSizeBytes < sourceBytes) {
    throw new AppError({
      code: 'DISK_TARGET_TOO_SMALL',
      message: `copy disk: the target has ${params.targetSizeBytes} bytes, the source ${sourceBytes}`,
      details: { targetSizeBytes: params.targetSizeBytes, sourceSizeBytes: sourceBytes },
    });
  }
  if (blockBytes % unitBytes === 0) return;
  throw new AppError({
    code: 'INTERNAL_BUG',
    message: `copy disk: no sink has an alignment of ${unitBytes} bytes`,
  });
}

async function countDataBytes(source: DiskSource, unitBytes: number): Promise<number> {
  let sum = 0;
  for await (const run of planBlocks(source.extents(0, source.sizeBytes), source.sizeBytes, unitBytes)) {
    sum += dataBytesOf(run, unitBytes);
  }
  return sum;
}

async function copyFrom(source: DiskSource, params: CopyDiskParams, unitBytes: number): Promise<CopyResult> {
  const { sizeBytes } = source;
  const bytesTotal = await countDataBytes(source, unitBytes);
  const result = await runBlocks({
    source,
    sink: params.sink,
    runs: planBlocks(source.extents(0, sizeBytes), sizeBytes, unitBytes),
    unitBytes,
    bytesTotal,
    targetSizeBytes: params.targetSizeBytes,
    // Work is done in whole blocks: a block that was confirmed in part is written again.
    resumeFromBytes:
      params.resumeFromBytes >= params.targetSizeBytes
        ? params.targetSizeBytes
        : Math.floor(params.resumeFromBytes / blockBytes) * blockBytes,
    bandwidthBytesPerSecond: params.bandwidthBytesPerSecond,
    clock: params.clock ?? systemClock,
    signal: params.signal,
    onProgress: params.onProgress,
    onConfirmed: params.onConfirmed,
  });
  await source.assertUnchanged();
  return result;
}

/**
 * Copies a point in time in one pass: reads the allocated data once, in order, and writes what is not zeros. Memory is a fixed
 * pool of 16 MiB whatever the disk's size. The sink is flushed at the end but not finished. On failure the copy has stopped
 * and the server is gone; what was confirmed before stays valid for a resume.
 *
 * @throws {AppError} DISK_TARGET_TOO_SMALL, DISK_SOURCE_BUSY, DISK_SOURCE_CHANGED, DISK_OPEN_FAILED, DISK_IO_FAILED, DISK_NBD_DISCONNECTED,
 * DISK_NBD_TIMEOUT, OPERATION_CANCELLED, and whatever coded error the sink or `onConfirmed` throws
 */
export async function copyDisk(params: CopyDiskParams): Promise<CopyResult> {
  const unitBytes = Math.max(minUnitBytes, params.sink.alignmentBytes);
  checkParams(params, unitBytes);
  const { signal } = params;
  const source = await openNbdSource(params);
  try {
    return await copyFrom(source, params, unitBytes);
  } catch (cause) {
    if (signal.aborted && !isAppError(cause)) {
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'copy disk: cancelled', cause });
    }
    throw toAppError(cause, 'copy disk');
  } finally {
    await source.close();
  }
}

/**
 * Reads a whole disk and returns its digest (see `CopyResult.sha256`): for comparing a restored disk with its source.
 *
 * @throws {AppError} as `copyDisk`
 */
export async function digestDisk(params: {
  readonly image: DiskImage;
  readonly workDir: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: CopyProgress) => void;
}): Promise<string> {
  const result = await copyDisk({
    image: params.image,
    sink: createNullSink(),
    targetSizeBytes: params.image.chain.virtualSizeBytes,
    workDir: params.workDir,
    signal: params.signal,
    bandwidthBytesPerSecond: null,
    resumeFromBytes: 0,
    onProgress: params.onProgress ?? (() => undefined),
    onConfirmed: () => Promise.resolve(),
  });
  return result.sha256 ?? '';
}
