import type { SourceFormat } from '@ascend/domain';
import { openDirectSource } from './directSource.ts';
import type { DiskSource } from './diskSource.ts';
import { openNbdSource, type OpenSourceParams } from './nbdSource.ts';

// QEMU (7.2) tells no holes of a VHDX: a disk of terabytes with little on it would be read whole. Those of a VMDK it tells grain by grain: 100 s
// for an empty disk of 2.25 TiB.
const withoutMap = new Set<SourceFormat>(['vhdx', 'vmdk']);

/**
 * Opens a point in time for comparing: every byte comes from the block server, as QEMU sees it. So does the map, but for formats whose
 * holes QEMU does not tell, or slowly: for those it is our own walk.
 *
 * @throws {AppError} as `openNbdSource` and `openDirectSource`
 */
export async function openReferenceSource(params: OpenSourceParams): Promise<DiskSource> {
  const served = await openNbdSource(params);
  if (params.image.chain.layers.every(({ format }) => !withoutMap.has(format))) return served;
  try {
    const mapped = await openDirectSource(params);
    return {
      sizeBytes: served.sizeBytes,
      extents: (offset, length) => mapped.extents(offset, length),
      readInto: (offset, target) => served.readInto(offset, target),
      assertUnchanged: () => mapped.assertUnchanged(),
      close: async () => {
        await served.close();
        await mapped.close();
      },
    };
  } catch (cause) {
    await served.close();
    throw cause;
  }
}
