import { AppError, isAppError, toAppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import type { DiskImage } from '../blockdev.ts';
import type { Extent } from '../extent.ts';
import { createNullSink } from '../sinks/fileSink.ts';
import type { CopyResult, DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { chainThrottles, createBandwidthLimiter, type Throttle } from './bandwidth.ts';
import { blockBytes, dataBytesOf, planBlocks, type PlannedRun } from './blockPlan.ts';
import type { BlockDigestListener } from './completion.ts';
import { monotonicClock } from './monotonicClock.ts';
import { openCopySource, type ReadEngine } from './openCopySource.ts';
import { retryingSink, retryingSource, type RetryPolicy } from './retry.ts';
import type { CopyProgress } from './pass.ts';
import { runBlocks } from './runBlocks.ts';
import { createStallDetector, type StallDetector } from './stallDetector.ts';

// Smallest piece that is read, tested for zeros and written: the usual cluster of QCOW2.
const minUnitBytes = 64 * 1024;
const defaultPoolBytes = 12 * 1024 * 1024;
const defaultReadsInFlight = 12;
const defaultConfirmEveryMs = 5000;
const defaultStallAfterMs = 120_000;
const closeWaitMs = 15_000;

/** How a copy works; all of it JSON, so that it can cross to a thread. */
export interface CopyTuning {
  /** Default `auto`. Only for a source that the copy opens itself. */
  readonly engine?: ReadEngine;
  /**
   * Default `sha256`. `none` saves 0.6 CPU-seconds per GB: the result has no digest, and a resume does not read the confirmed part again.
   */
  readonly digest?: 'sha256' | 'none';
  /** Memory for blocks under way; default 12 MiB, at least 1 MiB. This is all that a copy holds, whatever the disk's size. */
  readonly poolBytes?: number;
  /** Blocks of 1 MiB that are read at the same time; default 12. More helps a source behind a network. */
  readonly readsInFlight?: number;
  /** Default 120 s. null = never. Time in which a limit holds the copy does not count. */
  readonly stallAfterMs?: number | null;
  /** How often the sink is flushed and its progress confirmed, beside every 64 MiB; default 5 s. */
  readonly confirmEveryMs?: number;
  /** Repeats calls of source and sink; default: none is repeated. */
  readonly retry?: RetryPolicy;
}

/** One disk to copy. */
export interface CopyDiskParams extends CopyTuning {
  /** The point in time to open and read. Needed unless `source` is given. */
  readonly image?: DiskImage;
  /** An open source; stays open. */
  readonly source?: DiskSource | undefined;
  /** Stays open: the caller finishes, suspends or aborts it. */
  readonly sink: DiskSink;
  /** Size of the target disk, at least that of the source; what lies behind the source's end is zeros. */
  readonly targetSizeBytes: number;
  readonly workDir: string;
  readonly signal: AbortSignal;
  /** Cap of this copy alone; null = no cap. */
  readonly bandwidthBytesPerSecond: number | null;
  /** Caps that this copy shares with others, e.g. that of the machine. All caps hold. */
  readonly throttles?: readonly Throttle[];
  /**
   * 0, or the last confirmed offset of an earlier attempt: the part below it is read again for the digest but not written. An
   * ordered sink always starts at 0, whatever is said here.
   */
  readonly resumeFromBytes: number;
  /** Absolute counters; called about once per MiB. */
  readonly onProgress: (progress: CopyProgress) => void;
  /**
   * Called with growing offsets, after a flush of the sink: everything below is durable. About every 64 MiB or `confirmEveryMs`, for a
   * sink that is not resumable only at the end.
   */
  readonly onConfirmed: (offsetBytes: number) => Promise<void>;
  /** SHA-256 of the blocks of 1 MiB as they are complete, in disk order; a block that is not named is zeros. Not with `digest: none`. */
  readonly onBlockDigest?: BlockDigestListener;
  /** Called now and then while a cap holds the copy: it lives although no counter grows. */
  readonly onHeld?: () => void;
  /** Default: a clock that never jumps. */
  readonly clock?: Clock;
}

function checkParams(params: CopyDiskParams, sourceBytes: number, unitBytes: number): void {
  if (params.targetSizeBytes < sourceBytes) {
    throw new AppError({
      code: 'DISK_TARGET_TOO_SMALL',
      message: `copy disk: the target has ${params.targetSizeBytes} bytes, the source ${sourceBytes}`,
      details: { targetSizeBytes: params.targetSizeBytes, sourceSizeBytes: sourceBytes },
    });
  }
  const bad = [
    blockBytes % unitBytes === 0 ? null : `no sink has an alignment of ${unitBytes} bytes`,
    (params.poolBytes ?? blockBytes) >= blockBytes
      ? null
      : `a pool of ${params.poolBytes} bytes holds no block`,
    (params.readsInFlight ?? 1) >= 1 ? null : `${params.readsInFlight} reads in flight`,
  ].find((problem) => problem !== null);
  if (bad !== undefined) throw new AppError({ code: 'INTERNAL_BUG', message: `copy disk: ${bad}` });
}

async function* watched(extents: AsyncIterable<Extent>, stall: StallDetector): AsyncGenerator<Extent> {
  for await (const extent of extents) {
    stall.moved();
    yield extent;
  }
}

function planOf(source: DiskSource, stall: StallDetector, unitBytes: number): AsyncIterable<PlannedRun> {
  const { sizeBytes } = source;
  return planBlocks(watched(source.extents(0, sizeBytes), stall), sizeBytes, unitBytes);
}

async function countDataBytes(source: DiskSource, stall: StallDetector, unitBytes: number): Promise<number> {
  let sum = 0;
  for await (const run of planOf(source, stall, unitBytes)) sum += dataBytesOf(run, unitBytes);
  return sum;
}

/** Settles with the work, or rejects with the reason of the signal when that fires first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Work is done in whole blocks: a block that was confirmed in part is written again. */
function startOf(params: CopyDiskParams): number {
  if (params.sink.ordered) return 0;
  if (params.resumeFromBytes >= params.targetSizeBytes) return params.targetSizeBytes;
  return Math.floor(params.resumeFromBytes / blockBytes) * blockBytes;
}

async function copyFrom(
  source: DiskSource,
  params: CopyDiskParams,
  stall: StallDetector,
  unitBytes: number,
): Promise<CopyResult> {
  const clock = params.clock ?? monotonicClock;
  const { signal, retry: policy } = params;
  const from = policy === undefined ? source : retryingSource(source, { policy, signal, clock });
  const sink = policy === undefined ? params.sink : retryingSink(params.sink, { policy, signal, clock });
  const own = createBandwidthLimiter(params.bandwidthBytesPerSecond, clock);
  const counting = countDataBytes(from, stall, unitBytes);
  const bytesTotal = await unlessAborted(counting, AbortSignal.any([signal, stall.signal]));
  const result = await runBlocks({
    source: from,
    sink,
    runs: planOf(from, stall, unitBytes),
    unitBytes,
    bytesTotal,
    targetSizeBytes: params.targetSizeBytes,
    resumeFromBytes: startOf(params),
    hashing: params.digest !== 'none',
    onBlockDigest: params.onBlockDigest,
    poolBytes: params.poolBytes ?? defaultPoolBytes,
    readsInFlight: params.readsInFlight ?? defaultReadsInFlight,
    confirmEveryMs: params.confirmEveryMs ?? defaultConfirmEveryMs,
    // The own cap first: who waits there holds no place in the line of the others.
    throttle: chainThrottles([own, ...(params.throttles ?? [])]),
    stall,
    clock,
    signal,
    onProgress: params.onProgress,
    onConfirmed: params.onConfirmed,
  });
  await from.assertUnchanged();
  return result;
}

/** The source of a copy. `close`: only what the copy opened itself, and after a stall not for ever, since a server may hang in the kernel. */
interface OpenedSource {
  readonly source: DiskSource;
  close(isStalled: boolean): Promise<void>;
}

async function openSourceOf(params: CopyDiskParams, clock: Clock): Promise<OpenedSource> {
  const { image, workDir, signal, engine = 'auto' } = params;
  if (params.source !== undefined) return { source: params.source, close: () => Promise.resolve() };
  if (image === undefined) {
    throw new AppError({
      code: 'INTERNAL_BUG',
      message: 'copy disk: neither an image nor a source is given',
    });
  }
  const source = await openCopySource({ image, workDir, signal, engine });
  return {
    source,
    close: async (isStalled) => {
      const closing = source.close();
      if (!isStalled) return await closing;
      const over = new AbortController();
      await Promise.race([closing, clock.sleep(closeWaitMs, over.signal).catch(() => undefined)]);
      over.abort();
    },
  };
}

/**
 * Copies a point in time in one pass: reads the allocated data once, in order, and writes what is not zeros. Memory is a fixed
 * pool whatever the disk's size. The sink is flushed at the end but not finished. On failure the copy has stopped
 * and the server is gone; what was confirmed before stays valid for a resume.
 *
 * @throws {AppError} DISK_TARGET_TOO_SMALL, DISK_SOURCE_BUSY, DISK_SOURCE_CHANGED, DISK_OPEN_FAILED, DISK_IO_FAILED, DISK_NBD_DISCONNECTED,
 * DISK_NBD_TIMEOUT, DISK_STALLED, OPERATION_CANCELLED, and whatever coded error the sink or `onConfirmed` throws
 */
export async function copyDisk(params: CopyDiskParams): Promise<CopyResult> {
  const unitBytes = Math.max(minUnitBytes, params.sink.alignmentBytes);
  checkParams(params, params.source?.sizeBytes ?? params.image?.chain.virtualSizeBytes ?? 0, unitBytes);
  const { signal, stallAfterMs = defaultStallAfterMs, onHeld, clock = monotonicClock } = params;
  const opened = await openSourceOf(params, clock);
  const stall = createStallDetector({ stallAfterMs, clock, ...(onHeld === undefined ? {} : { onHeld }) });
  try {
    return await copyFrom(opened.source, params, stall, unitBytes);
  } catch (cause) {
    if (signal.aborted && !isAppError(cause)) {
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'copy disk: cancelled', cause });
    }
    throw toAppError(cause, 'copy disk');
  } finally {
    stall.stop();
    await opened.close(stall.signal.aborted);
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
