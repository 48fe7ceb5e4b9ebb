import {
  descriptorSector,
  descriptorSectors,
  encodeSparseHeader,
  grainSectors,
  sectorBytes,
  tableBytes,
  tableCountOf,
  tableSectors,
} from './sparseExtent.ts';

/** Where the parts of a monolithicSparse file lie; all but the grains are there from the start. */
export interface SparseLayout {
  readonly sizeBytes: number;
  readonly tableCount: number;
  readonly header: Buffer;
  /** Both directories, each to be written at its place. */
  readonly directories: readonly { readonly offsetBytes: number; readonly content: Buffer }[];
  /** Byte offset of the first table of the redundant and of the primary set; the tables of a set follow each other. */
  readonly tableSets: readonly [redundantBytes: number, primaryBytes: number];
  /** First sector of the grains, a multiple of a grain. */
  readonly overheadSectors: number;
}

function directoryOf(tableCount: number, firstTableSector: number, sectors: number): Buffer {
  const directory = Buffer.alloc(sectors * sectorBytes);
  for (let index = 0; index < tableCount; index += 1) {
    directory.writeUInt32LE(firstTableSector + index * tableSectors, 4 * index);
  }
  return directory;
}

/**
 * Header, descriptor, redundant directory and tables, directory and tables, grains: the order of VMware and QEMU. All tables exist
 * from the start, since VMware's products do not open a file without them (VirtualBox VMDK.cpp says so).
 */
export function layOutSparse(sizeBytes: number): SparseLayout {
  const tableCount = tableCountOf(sizeBytes);
  const directorySectors = Math.ceil((4 * tableCount) / sectorBytes);
  const setSectors = directorySectors + tableCount * tableSectors;
  const redundantSector = descriptorSector + descriptorSectors;
  const directorySector = redundantSector + setSectors;
  const overheadSectors = Math.ceil((directorySector + setSectors) / grainSectors) * grainSectors;
  const sets = [redundantSector, directorySector].map((start) => ({
    offsetBytes: start * sectorBytes,
    content: directoryOf(tableCount, start + directorySectors, directorySectors),
  }));
  return {
    sizeBytes,
    tableCount,
    header: encodeSparseHeader({
      kind: 'plain',
      capacitySectors: sizeBytes / sectorBytes,
      redundantSector,
      directorySector,
      overheadSectors,
    }),
    directories: sets,
    tableSets: [
      (redundantSector + directorySectors) * sectorBytes,
      (directorySector + directorySectors) * sectorBytes,
    ],
    overheadSectors,
  };
}

/** Byte offset of a table in its set. */
export function tableOffset(setBytes: number, tableIndex: number): number {
  return setBytes + tableIndex * tableBytes;
}
