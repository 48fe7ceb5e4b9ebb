import { AppError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import { changedExtents } from '../source/changedExtents.ts';
import { createRangeList, type RangeList } from './rangeList.ts';

/** The image of an older point in time of the same chain; `sinceLayer` counts from the top, 0 is the chosen point itself. */
export function olderImage(image: DiskImage, sinceLayer: number): DiskImage {
  const layers = image.chain.layers.slice(sinceLayer);
  const [top] = layers;
  if (top === undefined) {
    throw new AppError({
      code: 'INTERNAL_BUG',
      message: `open older point: layer ${sinceLayer} of ${image.chain.layers.length}`,
    });
  }
  return { chain: { ...image.chain, layers, virtualSizeBytes: top.virtualSizeBytes }, overlays: [] };
}

/**
 * What a point in time takes from the layers above an older one, and all that lies behind the older one's end: extents of data, and
 * extents that read as zeros and must be written as zeros. In order, without overlap.
 *
 * @throws {AppError} as `changedExtents`; DISK_TARGET_UNSUPPORTED - more separate changes than are kept in memory
 */
export async function listChanges(params: {
  readonly image: DiskImage;
  readonly sinceLayer: number;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<RangeList> {
  const changes = createRangeList();
  for await (const extent of changedExtents(params)) changes.add(extent);
  return changes;
}
