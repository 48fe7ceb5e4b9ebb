import type { ExtentFile } from './extentFile.ts';
import { createTouched, type Touched } from './grainTables.ts';
import { grainSectors, sectorBytes, tableBytes, tableEntries } from './sparseExtent.ts';
import { tableOffset, type SparseLayout } from './sparseLayout.ts';

const chunkTables = 512;
const zeroTable = Buffer.alloc(tableBytes);

/** What the tables of an unfinished file name. */
export interface KeptTables {
  readonly touched: Touched;
  /** First sector behind all grains that a table names. */
  readonly nextSector: number;
}

/** Which places of grains in the file are taken, so that none is named twice. */
function createPlaces(layout: SparseLayout, fileBytes: number) {
  const places = Math.ceil(fileBytes / sectorBytes - layout.overheadSectors) / grainSectors;
  const taken = new Uint8Array(Math.max(0, Math.ceil(places / 8)));
  let nextSector = layout.overheadSectors;
  return {
    nextSector: () => nextSector,
    /** false: no grain of ours can lie there. */
    take: (sector: number): boolean => {
      const place = (sector - layout.overheadSectors) / grainSectors;
      if (!Number.isInteger(place) || place < 0 || sector * sectorBytes >= fileBytes) return false;
      const bit = 1 << (place & 7);
      const byte = taken[place >> 3] ?? 0;
      if ((byte & bit) !== 0) return false;
      taken[place >> 3] = byte | bit;
      nextSector = Math.max(nextSector, sector + grainSectors);
      return true;
    },
  };
}

function takeTable(
  table: Buffer,
  grainsLeft: number,
  places: ReturnType<typeof createPlaces>,
): 'empty' | 'used' | 'wrong' {
  if (table.equals(zeroTable)) return 'empty';
  for (let entry = 0; entry < tableEntries; entry += 1) {
    const sector = table.readUInt32LE(4 * entry);
    if (sector !== 0 && (entry >= grainsLeft || !places.take(sector))) return 'wrong';
  }
  return 'used';
}

/**
 * Reads the tables of an unfinished file, 1 MiB at a time, and makes the redundant ones equal to them. null: an entry names something that
 * cannot be a grain of ours, or one grain twice, so the file must not be gone on with.
 *
 * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function readKeptTables(
  file: ExtentFile,
  layout: SparseLayout,
  fileBytes: number,
): Promise<KeptTables | null> {
  const [redundantBytes, primaryBytes] = layout.tableSets;
  const grainCount = Math.ceil(layout.sizeBytes / (grainSectors * sectorBytes));
  const places = createPlaces(layout, fileBytes);
  const touched = createTouched(layout.tableCount);
  // Used again for each chunk: most of the tables of a large disk are a hole, and reading that should cost little.
  const chunks = [Buffer.alloc(chunkTables * tableBytes), Buffer.alloc(chunkTables * tableBytes)] as const;
  for (let first = 0; first < layout.tableCount; first += chunkTables) {
    const length = Math.min(chunkTables, layout.tableCount - first) * tableBytes;
    const [primary, redundant] = [chunks[0].subarray(0, length), chunks[1].subarray(0, length)];
    await file.readInto(tableOffset(primaryBytes, first), primary);
    for (let at = 0; at < length; at += tableBytes) {
      const index = first + at / tableBytes;
      const found = takeTable(
        primary.subarray(at, at + tableBytes),
        grainCount - index * tableEntries,
        places,
      );
      if (found === 'wrong') return null;
      if (found === 'used') touched.add(index);
    }
    // A cut may have come between the two copies.
    await file.readInto(tableOffset(redundantBytes, first), redundant);
    if (!redundant.equals(primary)) await file.write(tableOffset(redundantBytes, first), primary);
  }
  return { touched, nextSector: places.nextSector() };
}
