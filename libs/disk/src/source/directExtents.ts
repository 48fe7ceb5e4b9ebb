import { AppError } from '@ascend/errors';
import type { Extent } from '../extent.ts';
import { ChainWalk, type ChainRun } from './maps/chainMap.ts';
import type { LayerMap } from './maps/layerMap.ts';

/** A run as an extent: what only the block server can read is data too. */
export function extentOf(run: ChainRun): Extent {
  const { offsetBytes, lengthBytes, kind } = run;
  return { offsetBytes, lengthBytes, kind: kind === 'served' ? 'data' : kind };
}

/** Neighbours of one kind become one extent. Lazy. */
export async function* mergeExtents(extents: AsyncIterable<readonly Extent[]>): AsyncGenerator<Extent> {
  let held: Extent | undefined;
  for await (const batch of extents) {
    for (const extent of batch) {
      if (held === undefined) held = extent;
      else if (held.kind === extent.kind && held.offsetBytes + held.lengthBytes === extent.offsetBytes) {
        held = { ...held, lengthBytes: held.lengthBytes + extent.lengthBytes };
      } else {
        yield held;
        held = extent;
      }
    }
  }
  if (held !== undefined) yield held;
}

/**
 * The runs of a range, in batches. Lazy.
 *
 * @throws {AppError} OPERATION_CANCELLED; DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_FILE_UNREADABLE
 */
export async function* walkRuns(
  maps: readonly LayerMap[],
  fromBytes: number,
  toBytes: number,
  signal: AbortSignal,
): AsyncGenerator<readonly ChainRun[]> {
  const walk = new ChainWalk(maps, fromBytes, toBytes);
  for (let runs = await walk.next(); runs.length > 0; runs = await walk.next()) {
    if (signal.aborted) throw new AppError({ code: 'OPERATION_CANCELLED', message: 'map disk: cancelled' });
    yield runs;
  }
}

async function* extentBatches(
  batches: AsyncIterable<readonly ChainRun[]>,
): AsyncGenerator<readonly Extent[]> {
  for await (const runs of batches) yield runs.map(extentOf);
}

/** The extents of a range by the tables of the files. Lazy; holds one run for each layer and 256 extents. */
export function directExtents(
  maps: readonly LayerMap[],
  fromBytes: number,
  toBytes: number,
  signal: AbortSignal,
): AsyncIterable<Extent> {
  return mergeExtents(extentBatches(walkRuns(maps, fromBytes, toBytes, signal)));
}

/**
 * Where one map says data and the other says it reads as zeros, the other is believed: a file's tables do not know its own holes.
 * Both cover the same range. Lazy.
 */
export async function* withHoles(
  extents: AsyncIterable<Extent>,
  hints: AsyncIterable<Extent>,
): AsyncGenerator<readonly Extent[]> {
  const iterator = hints[Symbol.asyncIterator]();
  let hint = await iterator.next();
  try {
    for await (const extent of extents) {
      const end = extent.offsetBytes + extent.lengthBytes;
      if (extent.kind !== 'data') {
        yield [extent];
        continue;
      }
      for (let at = extent.offsetBytes; at < end;) {
        while (hint.done !== true && hint.value.offsetBytes + hint.value.lengthBytes <= at) {
          hint = await iterator.next();
        }
        const stop =
          hint.done === true ? end : Math.min(end, hint.value.offsetBytes + hint.value.lengthBytes);
        const kind = hint.done === true ? 'data' : hint.value.kind;
        yield [{ offsetBytes: at, lengthBytes: stop - at, kind }];
        at = stop;
      }
    }
  } finally {
    await iterator.return?.();
  }
}
