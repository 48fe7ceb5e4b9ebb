import { AppError } from '@ascend/errors';
import { settleAll } from '../settleAll.ts';
import { ChainWalk, type ChainRun, type KnownRuns } from './maps/chainMap.ts';
import type { LayerMap } from './maps/layerMap.ts';

// One system call moves at most this much; larger ones gain nothing (performance figures).
const maxReadBytes = 1024 * 1024;

/** Reads what the block server alone can read, by offset of the disk. */
type ServedReader = (offsetBytes: number, target: Uint8Array) => Promise<void>;

/** Starts what fills the part of a buffer that belongs to one run. */
function startReads(run: ChainRun, part: Uint8Array, served: ServedReader, reads: Promise<void>[]): void {
  const { file } = run;
  if (run.kind === 'served') reads.push(served(run.offsetBytes, part));
  else if (run.kind !== 'data' || file === null) part.fill(0);
  else if (part.length <= maxReadBytes) reads.push(file.readInto(run.fileOffsetBytes, part));
  else {
    for (let at = 0; at < part.length; at += maxReadBytes) {
      reads.push(file.readInto(run.fileOffsetBytes + at, part.subarray(at, at + maxReadBytes)));
    }
  }
}

/** Neighbours that the block server reads become one request, whatever layers they lie in. */
function joinServed(runs: readonly ChainRun[]): readonly ChainRun[] {
  if (runs.length === 1) return runs;
  const joined: ChainRun[] = [];
  for (const run of runs) {
    const last = joined.at(-1);
    if (last?.kind === 'served' && run.kind === 'served') {
      joined[joined.length - 1] = { ...last, lengthBytes: last.lengthBytes + run.lengthBytes };
    } else joined.push(run);
  }
  return joined;
}

/** What a read needs of its source. */
export interface DirectReading {
  /** The layers, top first. */
  readonly maps: readonly LayerMap[];
  /** Belongs to the maps and is shared by all calls. */
  readonly known: KnownRuns;
  readonly served: ServedReader;
  readonly signal: AbortSignal;
}

/**
 * Fills a buffer from the files of a disk: plain clusters by reads at their place in the file, zeros by filling, the rest by the
 * block server. All reads have settled when the promise settles, so the buffer is free then.
 *
 * @throws {AppError} DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_FILE_UNREADABLE; OPERATION_CANCELLED; what `served` throws
 */
export async function readDirect(
  { maps, known, served, signal }: DirectReading,
  offsetBytes: number,
  target: Uint8Array,
): Promise<void> {
  const walk = new ChainWalk(maps, offsetBytes, offsetBytes + target.length, known);
  for (;;) {
    const next = walk.next();
    const runs = next instanceof Promise ? await next : next;
    if (runs.length === 0) return;
    if (signal.aborted) throw new AppError({ code: 'OPERATION_CANCELLED', message: 'read disk: cancelled' });
    const reads: Promise<void>[] = [];
    for (const run of joinServed(runs)) {
      const from = run.offsetBytes - offsetBytes;
      const isWhole = run.lengthBytes === target.length;
      startReads(run, isWhole ? target : target.subarray(from, from + run.lengthBytes), served, reads);
    }
    if (reads.length > 0) await settleAll(reads);
  }
}
