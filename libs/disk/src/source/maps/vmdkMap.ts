import type { ImageFile } from '../../formats/imageFile.ts';
import type { VmdkSparseLayout } from '../../formats/vmdkLayout.ts';
import { checkPlace, type LayerMap } from './layerMap.ts';
import { directoryPageBytes, withPage, type TableCache } from './tableCache.ts';
import { createTableMap, type BlockState, type TableSpan } from './tableMap.ts';

/**
 * The map of one sparse VMDK extent by its grain directory and grain tables. Compressed grains are left to the block server; its
 * holes are told here.
 */
export function createVmdkMap(file: ImageFile, layout: VmdkSparseLayout, cache: TableCache): LayerMap {
  const { grainBytes, grainsPerTable, directory, virtualSizeBytes } = layout;
  const directoryPages = cache.open(file, directoryPageBytes);
  const tableSpan = grainBytes * grainsPerTable;
  const reserved = [{ offsetBytes: 0, lengthBytes: 512 }, directory];
  const empty: BlockState = { kind: 'below', fileOffsetBytes: 0 };
  const stateOf = (bytes: Buffer, at: number): BlockState => {
    const sector = bytes.readUInt32LE(at);
    if (sector === 0) return empty;
    if (sector === 1 && layout.hasZeroGrains) return { kind: 'zero', fileOffsetBytes: 0 };
    const fileOffsetBytes = sector * 512;
    if (!layout.compressed) return { kind: 'data', fileOffsetBytes };
    checkPlace(file, 'a compressed grain', fileOffsetBytes, 512, reserved);
    return { kind: 'served', fileOffsetBytes };
  };
  const tableAt = (offsetBytes: number): TableSpan | Promise<TableSpan> => {
    const index = Math.floor(offsetBytes / tableSpan);
    const entryAt = directory.offsetBytes + index * 4;
    return withPage(directoryPages.page(entryAt), (page) => {
      const sector = page.bytes.readUInt32LE(entryAt - page.offsetBytes);
      const startBytes = index * tableSpan;
      const endBytes = startBytes + tableSpan;
      if (sector === 0) return { startBytes, endBytes, entryBytes: null };
      checkPlace(file, 'a grain table', sector * 512, grainsPerTable * 4, reserved);
      return { startBytes, endBytes, entryBytes: sector * 512 };
    });
  };
  return createTableMap({
    file,
    tables: cache.open(file),
    sizeBytes: virtualSizeBytes,
    blockBytes: grainBytes,
    entryBytes: 4,
    tableAt,
    stateOf,
    reserved,
  });
}
