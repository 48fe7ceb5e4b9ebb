import { isAppError, AppError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import { blockBytes } from '../copy/blockPlan.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { dataBlocks, unionOf } from '../verify/blockRanges.ts';
import { compareBlocks } from '../verify/compareBlocks.ts';
import { createReservoir, createSeededRandom, type Reservoir, type SeededRandom } from '../verify/sample.ts';
import { changedExtents } from '../source/changedExtents.ts';
import { olderImage as pointAt } from './olderPoint.ts';
import type { RangeList } from './rangeList.ts';

// Small pieces: a sample of many places that costs less than the delta itself.
const pieceBytes = 64 * 1024;
const edgeSamples = 1024;
const anywhereSamples = 256;
// The newest older layer is what tells the older point from the one before it, so it gets most.
const layerSamples = [512, 128, 64, 64, 32, 32, 16, 16] as const;
const insideLongRange = 8;

/** What a target is compared with before a delta is written onto it. */
export interface ProveOlderParams {
  readonly older: DiskSource;
  readonly olderImage: DiskImage;
  readonly target: DiskSource;
  /** What the delta will write; it is not compared, so that a delta that was cut can be repeated. */
  readonly changes: RangeList;
  /** `read-back`: all blocks. `sample`: around the changes, in each older layer, and anywhere. */
  readonly mode: 'sample' | 'read-back';
  readonly seed: string;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

async function* inOrder(blocks: Iterable<number>): AsyncGenerator<number> {
  for (const block of blocks) {
    await Promise.resolve();
    yield block;
  }
}

/** Pieces of a range: both ends and a few inside. */
function addRange(into: Pick<Reservoir, 'add'>, random: SeededRandom, from: number, to: number): void {
  const first = Math.floor(from / pieceBytes);
  const last = Math.floor((to - 1) / pieceBytes);
  into.add(first);
  if (last === first) return;
  for (let draw = Math.min(insideLongRange, last - first - 1); draw > 0; draw -= 1) {
    into.add(first + 1 + random.below(last - first - 1));
  }
  into.add(last);
}

async function samplePieces(params: ProveOlderParams, sizeBytes: number): Promise<number[]> {
  const { olderImage, changes, workDir, signal } = params;
  const random = createSeededRandom(params.seed);
  const last = Math.ceil(sizeBytes / pieceBytes) - 1;
  const chosen = new Set([0, last]);
  // A piece that the delta writes whole would tell nothing.
  const isWritten = (piece: number): boolean => {
    let bytes = 0;
    for (const part of changes.within(piece * pieceBytes, pieceBytes)) bytes += part.lengthBytes;
    return bytes === pieceBytes;
  };
  const compared = (into: Reservoir): Pick<Reservoir, 'add'> => ({
    add: (piece) => {
      if (!isWritten(piece)) into.add(piece);
    },
  });
  const edges = createReservoir(edgeSamples, random);
  for (const { offsetBytes, lengthBytes } of changes) {
    compared(edges).add(Math.max(0, Math.floor((offsetBytes - 1) / pieceBytes)));
    compared(edges).add(Math.min(last, Math.floor((offsetBytes + lengthBytes) / pieceBytes)));
  }
  for (const block of edges.values) chosen.add(Math.min(block, last));
  for (const [index, size] of layerSamples.entries()) {
    if (index >= olderImage.chain.layers.length - 1) break;
    const inLayer = createReservoir(size, random);
    // The point whose top this layer is, against the one below it.
    const point = pointAt(olderImage, index);
    for await (const { offsetBytes, lengthBytes } of changedExtents({
      image: point,
      sinceLayer: 1,
      workDir,
      signal,
    })) {
      addRange(compared(inLayer), random, offsetBytes, offsetBytes + lengthBytes);
    }
    for (const block of inLayer.values) if (block <= last) chosen.add(block);
  }
  for (let draw = 0; draw < anywhereSamples; draw += 1) chosen.add(random.below(last + 1));
  return [...chosen].sort((a, b) => a - b);
}

async function* everyBlock(params: ProveOlderParams, sizeBytes: number): AsyncGenerator<number> {
  const ranges = unionOf(
    dataBlocks(params.older.extents(0, sizeBytes)),
    dataBlocks(params.target.extents(0, sizeBytes)),
  );
  for await (const { from, to } of ranges) {
    for (let block = from; block < to; block += 1) yield block;
  }
}

/**
 * Proves as far as the mode goes that a target is a copy of the older point, in all that the delta will not write. Reads only. Returns
 * the bytes that were compared; 0 when the delta writes everything. Danger: a sample cannot see a target that differs in a few blocks
 * only; `read-back` can.
 *
 * @throws {AppError} DISK_DELTA_BASE_MISMATCH - details tell the first differing offset; OPERATION_CANCELLED and what the sides throw
 */
export async function proveOlder(params: ProveOlderParams): Promise<number> {
  const { older, target, changes, signal } = params;
  const sizeBytes = Math.min(older.sizeBytes, target.sizeBytes);
  const unitBytes = params.mode === 'read-back' ? blockBytes : pieceBytes;
  const blocks =
    params.mode === 'read-back'
      ? everyBlock(params, sizeBytes)
      : inOrder(await samplePieces(params, sizeBytes));
  let comparedBytes = 0;
  try {
    await compareBlocks({
      source: older,
      target,
      blocks,
      unitBytes,
      sizeBytes,
      signal,
      mask: (offset, block) => {
        for (const part of changes.within(offset, block.length)) {
          block.fill(0, part.offsetBytes - offset, part.offsetBytes - offset + part.lengthBytes);
        }
      },
      onSame: (block, content) => {
        comparedBytes += content.length;
        for (const part of changes.within(block * unitBytes, content.length))
          comparedBytes -= part.lengthBytes;
      },
    });
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'DISK_VERIFY_MISMATCH') throw cause;
    throw new AppError({
      code: 'DISK_DELTA_BASE_MISMATCH',
      message: `prove older copy: at offset ${String(cause.details['offsetBytes'])} the target differs from the older point, outside of what the delta writes`,
      details: cause.details,
      cause,
    });
  }
  return comparedBytes;
}
