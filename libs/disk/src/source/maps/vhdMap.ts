import type { ImageFile } from '../../formats/imageFile.ts';
import type { VhdBlockTable } from '../../formats/vhdHeader.ts';
import type { LayerMap } from './layerMap.ts';
import type { TableFile } from './tableCache.ts';
import { createTableMap } from './tableMap.ts';

// "Virtual Hard Disk Image Format Specification" 1.0: entries are big-endian sector numbers, all ones = no block.
const noBlock = 0xffff_ffff;

/**
 * The map of a dynamic VHD by its block allocation table. The sector bitmap in front of each block is skipped and the block
 * taken as a whole, as the block layer of QEMU 7.2 does (block/vpc.c): so both ways of reading give the same bytes.
 */
export function createVhdMap(
  file: ImageFile,
  sizeBytes: number,
  table: VhdBlockTable,
  tables: TableFile,
): LayerMap {
  const { blockBytes } = table;
  // One bit for each sector, in whole sectors.
  const bitmapBytes = Math.ceil(blockBytes / 512 / 8 / 512) * 512;
  const span = { startBytes: 0, endBytes: sizeBytes, entryBytes: table.offsetBytes };
  return createTableMap({
    file,
    tables,
    sizeBytes,
    blockBytes,
    entryBytes: 4,
    tableAt: () => span,
    stateOf: (bytes, at) => {
      const sector = bytes.readUInt32BE(at);
      return sector === noBlock
        ? { kind: 'below', fileOffsetBytes: 0 }
        : { kind: 'data', fileOffsetBytes: sector * 512 + bitmapBytes };
    },
    reserved: [
      { offsetBytes: 0, lengthBytes: 512 },
      { offsetBytes: table.offsetBytes, lengthBytes: table.entries * 4 },
    ],
  });
}
