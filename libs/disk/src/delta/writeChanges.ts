import { AppError } from '@ascend/errors';
import { createBandwidthLimiter } from '../copy/bandwidth.ts';
import { blockBytes } from '../copy/blockPlan.ts';
import { createBufferPool } from '../copy/bufferPool.ts';
import type { DiskSource } from '../source/diskSource.ts';
import type { DeltaWriter } from './deltaTarget.ts';
import type { RangeList } from './rangeList.ts';

const blocksInFlight = 16;
const zeroBlock = Buffer.alloc(blockBytes);

/** One pass over the changes of a delta. */
export interface WriteChangesParams {
  readonly newer: DiskSource;
  readonly target: DeltaWriter;
  readonly changes: RangeList;
  readonly signal: AbortSignal;
  readonly bandwidthBytesPerSecond: number | null;
  readonly onProgress: (bytesDone: number) => void;
}

function* pieces(changes: RangeList): Generator<{ offset: number; length: number }> {
  for (const { offsetBytes, lengthBytes, kind } of changes) {
    if (kind !== 'data') continue;
    for (let at = 0; at < lengthBytes; at += blockBytes) {
      yield { offset: offsetBytes + at, length: Math.min(blockBytes, lengthBytes - at) };
    }
  }
}

async function movePiece(params: WriteChangesParams, offset: number, piece: Buffer): Promise<void> {
  await params.newer.readInto(offset, piece);
  // Zeros keep the target sparse, and must be written: the older copy may hold data there.
  if (piece.equals(zeroBlock.subarray(0, piece.length))) await params.target.writeZeros(offset, piece.length);
  else await params.target.write(offset, piece);
}

/**
 * Writes every change onto the target and flushes. The same changes written again give the same disk.
 *
 * @throws {AppError} what source and target throw first; OPERATION_CANCELLED
 */
export async function writeChanges(params: WriteChangesParams): Promise<void> {
  const pool = createBufferPool(blocksInFlight, blockBytes);
  const throttle = createBandwidthLimiter(params.bandwidthBytesPerSecond);
  const inFlight = new Set<Promise<void>>();
  const failure: { cause?: unknown } = {};
  let done = 0;
  const report = (bytes: number): void => {
    done += bytes;
    params.onProgress(done);
  };
  try {
    for (const { offsetBytes, lengthBytes, kind } of params.changes) {
      if (params.signal.aborted) break;
      if (kind === 'data') continue;
      await params.target.writeZeros(offsetBytes, lengthBytes);
      report(lengthBytes);
    }
    for (const { offset, length } of pieces(params.changes)) {
      await throttle.take(length, params.signal);
      const buffer = await pool.acquire();
      if ('cause' in failure || params.signal.aborted) break;
      const work: Promise<void> = movePiece(params, offset, buffer.subarray(0, length))
        .then(() => report(length))
        .catch((cause: unknown) => {
          failure.cause ??= cause;
        })
        .finally(() => {
          pool.release(buffer);
          inFlight.delete(work);
        });
      inFlight.add(work);
    }
  } finally {
    await Promise.all(inFlight);
  }
  if (params.signal.aborted)
    throw new AppError({ code: 'OPERATION_CANCELLED', message: 'apply delta: cancelled' });
  if ('cause' in failure) throw failure.cause;
  await params.target.flush();
}
