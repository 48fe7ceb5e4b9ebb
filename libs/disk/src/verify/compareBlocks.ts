import { AppError } from '@ascend/errors';
import { blockBytes } from '../copy/blockPlan.ts';
import { createBufferPool } from '../copy/bufferPool.ts';
import { blockDigest } from '../copy/completion.ts';
import type { DiskSource } from '../source/diskSource.ts';

// Two buffers of 1 MiB for each pair in flight.
const pairsInFlight = 8;

/** One pair of blocks to compare, named by its index. */
export interface CompareBlocksParams {
  readonly source: Pick<DiskSource, 'readInto' | 'sizeBytes'>;
  readonly target: Pick<DiskSource, 'readInto' | 'sizeBytes'>;
  /** In growing order. */
  readonly blocks: AsyncIterable<number>;
  /** Size of a block; default and most: 1 MiB. */
  readonly unitBytes?: number;
  /** Bytes from the start that both have. */
  readonly sizeBytes: number;
  /** Blanks in both buffers what is not compared. */
  readonly mask?: (offsetBytes: number, block: Buffer) => void;
  readonly signal: AbortSignal;
  /** A block is the same on both sides. */
  readonly onSame: (block: number, content: Buffer) => void;
}

/** The error of a verification; the message starts with `verify disk`. */
export function mismatchError(
  problem: string,
  details: Readonly<Record<string, string | number>>,
  cause?: unknown,
): AppError {
  return new AppError({
    code: 'DISK_VERIFY_MISMATCH',
    message: `verify disk: ${problem}`,
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

function firstDifference(a: Buffer, b: Buffer): number {
  let [from, to] = [0, a.length];
  // Halves: the first half that differs holds the first difference.
  while (to - from > 1) {
    const middle = from + Math.ceil((to - from) / 2);
    if (a.compare(b, from, middle, from, middle) === 0) from = middle;
    else to = middle;
  }
  return from;
}

async function readBoth(
  params: CompareBlocksParams,
  offset: number,
  [ours, theirs]: readonly [Buffer, Buffer],
): Promise<void> {
  const both = await Promise.allSettled([
    params.source.readInto(offset, ours),
    params.target.readInto(offset, theirs),
  ]);
  for (const result of both) if (result.status === 'rejected') throw result.reason;
  params.mask?.(offset, ours);
  params.mask?.(offset, theirs);
}

/** Failures of blocks in flight: the one at the lowest offset is the one to tell. */
function createFirstFailure() {
  let found: { readonly block: number; readonly cause: unknown } | null = null;
  return {
    note: (block: number, cause: unknown): void => {
      if (found === null || block < found.block) found = { block, cause };
    },
    get failed() {
      return found !== null;
    },
    rethrow: (): void => {
      if (found !== null) throw found.cause;
    },
  };
}

async function compareOne(params: CompareBlocksParams, block: number, buffer: Buffer): Promise<void> {
  const unitBytes = params.unitBytes ?? blockBytes;
  const offset = block * unitBytes;
  const length = Math.min(unitBytes, params.sizeBytes - offset);
  const ours = buffer.subarray(0, length);
  const theirs = buffer.subarray(blockBytes, blockBytes + length);
  await readBoth(params, offset, [ours, theirs]);
  if (!ours.equals(theirs)) {
    const differs = offset + firstDifference(ours, theirs);
    throw mismatchError(`the target differs from the source at offset ${differs}`, {
      offsetBytes: differs,
      blockOffsetBytes: offset,
      blockLengthBytes: length,
      sourceSha256: blockDigest(ours).toString('hex'),
      targetSha256: blockDigest(theirs).toString('hex'),
    });
  }
  params.onSame(block, ours);
}

/**
 * Reads the named blocks from both sides, 8 at a time, and compares them byte by byte. Memory is a fixed pool of 16 MiB.
 *
 * @throws {AppError} DISK_VERIFY_MISMATCH - details tell the first differing offset and the digests of the block on both sides;
 * OPERATION_CANCELLED and what the sides throw
 */
export async function compareBlocks(params: CompareBlocksParams): Promise<void> {
  const pool = createBufferPool(pairsInFlight, 2 * blockBytes);
  const failure = createFirstFailure();
  const inFlight = new Set<Promise<void>>();
  try {
    for await (const block of params.blocks) {
      const buffer = await pool.acquire();
      if (failure.failed || params.signal.aborted) break;
      const work: Promise<void> = compareOne(params, block, buffer)
        .catch((cause: unknown) => failure.note(block, cause))
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
    throw new AppError({ code: 'OPERATION_CANCELLED', message: 'verify disk: cancelled' });
  failure.rethrow();
}
