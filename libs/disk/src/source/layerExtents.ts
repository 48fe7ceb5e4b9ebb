import { openDirectSource } from './directSource.ts';
import type { OpenSourceParams } from './nbdSource.ts';
import { ChainWalk } from './maps/chainMap.ts';

/** A part of a disk and the layer that decides what it holds. */
export interface LayerExtent {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** 0: the top of the image, overlays included. */
  readonly depth: number;
  /** `hole`: no layer holds it. */
  readonly kind: 'data' | 'zero' | 'hole';
}

/**
 * Walks the map of an image with the layer of each part, in disk order, without gap. Memory: the tables under way.
 *
 * @throws {AppError} as `openDirectSource`; DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_FILE_UNREADABLE
 */
export async function* layerExtents(params: OpenSourceParams): AsyncGenerator<LayerExtent> {
  const source = await openDirectSource(params);
  try {
    const walk = new ChainWalk(source.maps, 0, source.sizeBytes);
    for (let runs = await walk.next(); runs.length > 0; runs = await walk.next()) {
      for (const { offsetBytes, lengthBytes, depth, kind } of runs) {
        yield { offsetBytes, lengthBytes, depth, kind: kind === 'served' ? 'data' : kind };
      }
    }
  } finally {
    await source.close();
  }
}
