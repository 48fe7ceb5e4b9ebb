import { AppError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import type { Extent } from '../extent.ts';
import { extentOf, mergeExtents, walkRuns } from './directExtents.ts';
import { openDirectSource, type DirectSource } from './directSource.ts';
import type { OpenSourceParams } from './nbdSource.ts';
import type { ChainRun } from './maps/chainMap.ts';

function checkLayer(image: DiskImage, sinceLayer: number): void {
  const count = image.chain.layers.length;
  if (Number.isSafeInteger(sinceLayer) && sinceLayer >= 0 && sinceLayer < count) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `compare points: layer ${sinceLayer} is wanted, the chain has ${count}`,
    details: { sinceLayer, layerCount: count },
  });
}

function changeOf(run: ChainRun): Extent {
  const { offsetBytes, lengthBytes, kind } = extentOf(run);
  return { offsetBytes, lengthBytes, kind: kind === 'data' ? 'data' : 'zero' };
}

async function* batches(
  source: DirectSource,
  oldLayer: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Extent[]> {
  const { maps, sizeBytes } = source;
  const oldBytes = Math.min(sizeBytes, maps[oldLayer]?.sizeBytes ?? 0);
  for await (const runs of walkRuns(maps, 0, oldBytes, signal)) {
    yield runs.filter((run) => run.depth < oldLayer).map(changeOf);
  }
  // What lies behind the end of the older disk is new, whatever layer decides there.
  for await (const runs of walkRuns(maps, oldBytes, sizeBytes, signal)) yield runs.map(changeOf);
}

/**
 * What a point in time has changed since an older point of the same chain, in disk order: the extents that come from layers above the
 * older one. `zero` must be written, since the older point may have data there; everything not named reads the same in both.
 * The cost is that of the tables, not of the data. Danger: it trusts that no layer was changed after the next was put on it.
 *
 * @param source - opened from `image`
 * @param sinceLayer - index of the older point in `image.chain.layers` (0 = the newest file; overlays always count as newer)
 * @throws {AppError} DISK_RANGE_INVALID - no such layer; OPERATION_CANCELLED, DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_FILE_UNREADABLE
 */
export function changedExtentsOf(
  source: DirectSource,
  image: DiskImage,
  sinceLayer: number,
  signal: AbortSignal,
): AsyncIterable<Extent> {
  checkLayer(image, sinceLayer);
  return mergeExtents(batches(source, image.overlays.length + sinceLayer, signal));
}

/**
 * `changedExtentsOf` for a disk that is not open: opens it, tells, and closes it again, also when the consumer stops early.
 *
 * @throws {AppError} as `changedExtentsOf` and `openDirectSource`
 */
export async function* changedExtents(
  params: OpenSourceParams & { readonly sinceLayer: number },
): AsyncGenerator<Extent> {
  checkLayer(params.image, params.sinceLayer);
  const source = await openDirectSource(params);
  try {
    yield* changedExtentsOf(source, params.image, params.sinceLayer, params.signal);
  } finally {
    await source.close();
  }
}
