import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { AppError, isAppError } from '@ascend/errors';
import { openChain } from '../chain/chain.ts';
import { blockBytes } from '../copy/blockPlan.ts';
import { blockDigest, createCompletion, type Completion } from '../copy/completion.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { openReferenceSource } from '../source/referenceSource.ts';
import { dataBlocks, unionOf, type BlockRange } from './blockRanges.ts';
import { compareBlocks, mismatchError } from './compareBlocks.ts';
import { chooseRanks, createReservoir, createSeededRandom, detectionProbability } from './sample.ts';
import type { VerifyMode } from './verifyMode.ts';

const defaultRandomBlocks = 256;
const maxEdgeBlocks = 512;

/** What to compare, and how thoroughly. */
export interface VerifyDiskParams {
  readonly source: DiskSource;
  /** An open disk, or a file that stands alone. */
  readonly target: DiskSource | { readonly path: string; readonly format: SourceFormat };
  readonly mode: VerifyMode;
  readonly workDir: string;
  readonly signal: AbortSignal;
  /** `sample`: how many blocks are drawn at random from those with data; default 256. */
  readonly randomBlocks?: number;
  /** `sample`: the same seed draws the same blocks; default: a new one, told in the report. */
  readonly seed?: string;
  readonly onProgress?: (progress: { readonly bytesDone: number; readonly bytesTotal: number }) => void;
}

/** How a sample was drawn and what it is worth. */
export interface SampleReport {
  readonly seed: string;
  readonly randomBlocks: number;
  /** Blocks at borders between data and holes, first and last block: compared beside the random ones. */
  readonly edgeBlocks: number;
  /** Chance that the random blocks alone would have met a fault in one of a hundred data blocks. */
  readonly findsOneInHundred: number;
  readonly statement: string;
}

/** What a verification compared. It is only returned when all of it was the same. */
export interface VerifyReport {
  readonly mode: VerifyMode;
  readonly comparedBytes: number;
  /** Blocks of 1 MiB in which either side holds data. */
  readonly dataBlocks: number;
  /** The disk digest of both sides (`CopyResult.sha256`); null unless every block was compared. */
  readonly sha256: string | null;
  readonly sample: SampleReport | null;
}

interface Pair {
  readonly source: DiskSource;
  readonly target: DiskSource;
  readonly params: VerifyDiskParams;
}

function lengthOf(block: number, sizeBytes: number): number {
  return Math.min(blockBytes, sizeBytes - block * blockBytes);
}

/** Blocks in which either map tells data: all others read as zeros on both sides. */
function comparedRanges(
  { source, target }: Pair,
  onEdge?: (block: number) => void,
): AsyncIterable<BlockRange> {
  const { sizeBytes } = source;
  return unionOf(
    dataBlocks(source.extents(0, sizeBytes), onEdge),
    dataBlocks(target.extents(0, sizeBytes), onEdge),
  );
}

async function countBlocks(ranges: AsyncIterable<BlockRange>): Promise<number> {
  let count = 0;
  for await (const { from, to } of ranges) count += to - from;
  return count;
}

/** Takes up all blocks up to `block` (not included) that hold no data on either side. */
function passZeros(completion: Completion, from: number, to: number, sizeBytes: number): void {
  if (to <= from) return;
  const offsetBytes = from * blockBytes;
  const lengthBytes = Math.min(to * blockBytes, sizeBytes) - offsetBytes;
  completion.start({ kind: 'zeros', offsetBytes, lengthBytes })(null);
}

async function readBack(pair: Pair): Promise<VerifyReport> {
  const { source, params } = pair;
  const { sizeBytes } = source;
  const blocks = await countBlocks(comparedRanges(pair));
  const completion = createCompletion();
  const pending = new Map<number, (digest: Buffer | null) => void>();
  let comparedBytes = 0;
  async function* everyBlock(): AsyncGenerator<number> {
    let next = 0;
    for await (const { from, to } of comparedRanges(pair)) {
      passZeros(completion, next, from, sizeBytes);
      for (let block = from; block < to; block += 1) {
        const run = { offsetBytes: block * blockBytes, lengthBytes: lengthOf(block, sizeBytes) };
        pending.set(block, completion.start({ kind: 'data', units: 1, ...run }));
        yield block;
      }
      next = to;
    }
    passZeros(completion, next, Math.ceil(sizeBytes / blockBytes), sizeBytes);
  }
  await compareBlocks({
    ...pair,
    blocks: everyBlock(),
    sizeBytes,
    signal: params.signal,
    onSame: (block, content) => {
      pending.get(block)?.(blockDigest(content));
      pending.delete(block);
      comparedBytes += content.length;
      params.onProgress?.({
        bytesDone: comparedBytes,
        bytesTotal: Math.max(comparedBytes, blocks * blockBytes),
      });
    },
  });
  return {
    mode: 'read-back',
    comparedBytes,
    dataBlocks: blocks,
    sha256: completion.digest(),
    sample: null,
  };
}

/** The blocks at the given ranks among all blocks of the ranges. */
async function blocksAt(ranges: AsyncIterable<BlockRange>, ranks: readonly number[]): Promise<number[]> {
  const found: number[] = [];
  let before = 0;
  for await (const { from, to } of ranges) {
    const after = before + to - from;
    for (let rank = ranks[found.length]; rank !== undefined && rank < after; rank = ranks[found.length]) {
      found.push(from + rank - before);
    }
    if (found.length === ranks.length) break;
    before = after;
  }
  return found;
}

async function* inOrder(blocks: readonly number[]): AsyncGenerator<number> {
  for (const block of blocks) {
    await Promise.resolve();
    yield block;
  }
}

async function compareSample(pair: Pair): Promise<VerifyReport> {
  const { source, params } = pair;
  const { sizeBytes } = source;
  const seed = params.seed ?? randomBytes(8).toString('hex');
  const random = createSeededRandom(seed);
  const edges = createReservoir(maxEdgeBlocks, random);
  const blocks = await countBlocks(comparedRanges(pair, (block) => edges.add(block)));
  const ranks = chooseRanks(blocks, params.randomBlocks ?? defaultRandomBlocks, random);
  const drawn = await blocksAt(comparedRanges(pair), ranks);
  const last = Math.ceil(sizeBytes / blockBytes) - 1;
  // The first block holds MBR and GPT, the last one the second GPT.
  const chosen = [...new Set([0, last, ...edges.values, ...drawn])].sort((a, b) => a - b);
  let comparedBytes = 0;
  await compareBlocks({
    ...pair,
    blocks: inOrder(chosen),
    sizeBytes,
    signal: params.signal,
    onSame: (_, content) => {
      comparedBytes += content.length;
      params.onProgress?.({
        bytesDone: comparedBytes,
        bytesTotal: Math.max(comparedBytes, chosen.length * blockBytes),
      });
    },
  });
  const findsOneInHundred = detectionProbability(drawn.length, blocks, 0.01);
  const percent = (findsOneInHundred * 100).toFixed(1);
  return {
    mode: 'sample',
    comparedBytes,
    dataBlocks: blocks,
    sha256: null,
    sample: {
      seed,
      randomBlocks: drawn.length,
      edgeBlocks: chosen.length - drawn.length,
      findsOneInHundred,
      statement:
        drawn.length === blocks
          ? `all ${blocks} blocks with data were compared`
          : `${drawn.length} of ${blocks} blocks with data were drawn at random: if one in a hundred were wrong, this finds it with ${percent} %; a single wrong block is likely missed`,
    },
  };
}

/** What lies behind the source's end in a larger target must read as zeros. */
async function checkTail({ source, target, params }: Pair): Promise<void> {
  const { sizeBytes } = source;
  if (target.sizeBytes < sizeBytes) {
    throw mismatchError(`the target has ${target.sizeBytes} bytes, the source ${sizeBytes}`, {
      sourceSizeBytes: sizeBytes,
      targetSizeBytes: target.sizeBytes,
    });
  }
  const buffer = Buffer.alloc(blockBytes);
  for await (const extent of target.extents(sizeBytes, target.sizeBytes - sizeBytes)) {
    const end = extent.offsetBytes + extent.lengthBytes;
    if (extent.kind !== 'data') continue;
    for (let at = extent.offsetBytes; at < end; at += blockBytes) {
      params.signal.throwIfAborted();
      const part = buffer.subarray(0, Math.min(blockBytes, end - at));
      await target.readInto(at, part);
      const wrong = part.findIndex((byte) => byte !== 0);
      if (wrong !== -1) {
        throw mismatchError(`the target holds data at offset ${at + wrong}, behind the source's end`, {
          offsetBytes: at + wrong,
          sourceSizeBytes: sizeBytes,
          targetSizeBytes: target.sizeBytes,
        });
      }
    }
  }
}

async function openTarget(
  params: VerifyDiskParams,
): Promise<{ target: DiskSource; close: () => Promise<void> }> {
  const { target, workDir, signal } = params;
  if ('readInto' in target) return { target, close: () => Promise.resolve() };
  const chain = await openChain({
    rootPath: path.dirname(target.path),
    path: target.path,
    format: target.format,
  });
  const opened = await openReferenceSource({ image: { chain, overlays: [] }, workDir, signal });
  return { target: opened, close: () => opened.close() };
}

/**
 * Compares a written disk with the point in time it was made from. Reads only. A block that reads as zeros by the maps of both sides is
 * not read. What a larger target holds behind the source's end must be zeros in every mode but `none`.
 *
 * @throws {AppError} DISK_VERIFY_MISMATCH - details tell the first differing offset and both digests; OPERATION_CANCELLED, and what
 * `openChain` and a source throw
 */
export async function verifyDisk(params: VerifyDiskParams): Promise<VerifyReport> {
  if (params.mode === 'none') {
    return { mode: 'none', comparedBytes: 0, dataBlocks: 0, sha256: null, sample: null };
  }
  const { target, close } = await openTarget(params);
  const pair: Pair = { source: params.source, target, params };
  try {
    await checkTail(pair);
    return params.mode === 'read-back' ? await readBack(pair) : await compareSample(pair);
  } catch (cause) {
    // A cut server answers with whatever it was at; the reason is the cancellation.
    const isMismatch = isAppError(cause) && cause.code === 'DISK_VERIFY_MISMATCH';
    if (params.signal.aborted && !isMismatch)
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'verify disk: cancelled', cause });
    throw cause;
  } finally {
    await close();
  }
}
