import type { ImageFile } from '../../formats/imageFile.ts';
import type { VhdxLayout } from '../../formats/vhdxHeader.ts';
import { mapError, type LayerMap } from './layerMap.ts';
import type { TableFile } from './tableCache.ts';
import { createTableMap, type BlockState } from './tableMap.ts';

// [MS-VHDX] 2.5.1.1: the state in the lowest three bits, the offset in MiB from bit 20 on; little-endian. 5 is a state of files
// made before version 1.00, read as the block layer of QEMU 7.2 does (block/vhdx.h).
const notPresent: ReadonlySet<number> = new Set([0, 1, 3, 5]);
const zeroBlock = 2;
const fullyPresent = 6;
const mib = 1024 * 1024;

/** The map of a VHDX by its block allocation table. A log that must be replayed and parents are refused before. */
export function createVhdxMap(file: ImageFile, layout: VhdxLayout, tables: TableFile): LayerMap {
  const { blockBytes, virtualSizeBytes, table } = layout;
  // After this many blocks stands one entry for a sector bitmap, which only differencing disks use.
  const chunkBytes = 2 ** 23 * layout.sectorBytes;
  const entriesPerChunk = chunkBytes / blockBytes + 1;
  const stateOf = (bytes: Buffer, at: number): BlockState => {
    const low = bytes.readUInt32LE(at);
    const state = low & 7;
    if (notPresent.has(state)) return { kind: 'below', fileOffsetBytes: 0 };
    if (state === zeroBlock) return { kind: 'zero', fileOffsetBytes: 0 };
    if (state !== fullyPresent) throw mapError(file, `a block has the state ${state}`);
    return {
      kind: 'data',
      fileOffsetBytes: bytes.readUInt32LE(at + 4) * 2 ** 32 + ((low & 0xfff0_0000) >>> 0),
    };
  };
  return createTableMap({
    file,
    tables,
    sizeBytes: virtualSizeBytes,
    blockBytes,
    entryBytes: 8,
    tableAt: (offsetBytes) => {
      const chunk = Math.floor(offsetBytes / chunkBytes);
      return {
        startBytes: chunk * chunkBytes,
        endBytes: Math.min((chunk + 1) * chunkBytes, virtualSizeBytes),
        entryBytes: table.offsetBytes + chunk * entriesPerChunk * 8,
      };
    },
    stateOf,
    // The first MiB holds the headers ([MS-VHDX] 2.2).
    reserved: [{ offsetBytes: 0, lengthBytes: mib }, table, layout.metadata],
  });
}
