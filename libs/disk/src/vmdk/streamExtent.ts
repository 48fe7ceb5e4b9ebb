import type { ByteOutput } from '../output.ts';
import { createBatches } from './batches.ts';
import { codedSectors, grainMarkerBytes } from './grainCoder.ts';
import {
  checkFileSector,
  descriptorSector,
  directoryAtEnd,
  encodeSparseHeader,
  grainSectors,
  sectorBytes,
  tableBytes,
  tableCountOf,
  tableEntries,
  tableSectors,
} from './sparseExtent.ts';

// Grains start where VMware's own exports start them.
const overheadSectors = 128;

/** What the sectors behind a marker are. A marker without a length (0 at offset 8) is no grain. */
const markerTypes = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;

function encodeMarker(type: number, sectors: number): Buffer {
  const marker = Buffer.alloc(sectorBytes);
  marker.writeBigUInt64LE(BigInt(sectors), 0);
  marker.writeUInt32LE(type, 12);
  return marker;
}

/** All that stands in front of the grains. */
function headOf(header: Buffer, descriptor: Buffer): Buffer {
  const head = Buffer.alloc(overheadSectors * sectorBytes);
  header.copy(head);
  descriptor.copy(head, descriptorSector * sectorBytes);
  return head;
}

function fillGrain(room: Buffer, diskSector: number, coded: readonly Uint8Array[], codedBytes: number): void {
  room.writeBigUInt64LE(BigInt(diskSector), 0);
  room.writeUInt32LE(codedBytes, 8);
  let at = grainMarkerBytes;
  for (const part of coded) {
    room.set(part, at);
    at += part.length;
  }
  room.fill(0, at);
}

/** The bytes of a streamOptimized extent, in the order they are written. One call at a time. */
export interface StreamExtent {
  /** Appends the zlib stream of a grain; `diskSector` is where it starts in the disk and grows from call to call. */
  addGrain(diskSector: number, coded: readonly Uint8Array[]): Promise<void>;
  /** Writes the last table, the directory, the footer and the end marker, and waits until the output has all of it. */
  end(): Promise<void>;
}

/**
 * Writes an extent whose tables follow the data and whose place the footer tells, so that nothing is written twice: the form of
 * VMware's own exports. Memory: two buffers of 1 MiB and 4 bytes per 32 MiB of disk.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - the file would be longer than an entry can name; what the output throws
 */
export async function createStreamExtent(params: {
  readonly output: Pick<ByteOutput, 'write'>;
  readonly sizeBytes: number;
  readonly descriptor: Buffer;
}): Promise<StreamExtent> {
  const batches = createBatches(params.output);
  const table = Buffer.alloc(tableBytes);
  const directory = Buffer.alloc(Math.ceil((4 * tableCountOf(params.sizeBytes)) / sectorBytes) * sectorBytes);
  let tableIndex = -1;

  const headerSector = (directorySector: number | typeof directoryAtEnd): Buffer =>
    encodeSparseHeader({
      kind: 'compressed',
      capacitySectors: params.sizeBytes / sectorBytes,
      redundantSector: null,
      directorySector,
      overheadSectors,
    });
  const closeTable = async (): Promise<void> => {
    if (tableIndex < 0) return;
    await batches.append(encodeMarker(markerTypes.grainTable, tableSectors));
    checkFileSector(batches.sector());
    directory.writeUInt32LE(batches.sector(), 4 * tableIndex);
    await batches.append(table);
    table.fill(0);
  };

  await batches.append(headOf(headerSector(directoryAtEnd), params.descriptor));
  return {
    addGrain: async (diskSector, coded) => {
      const grain = diskSector / grainSectors;
      const index = Math.floor(grain / tableEntries);
      if (index !== tableIndex) {
        await closeTable();
        tableIndex = index;
      }
      const { sectors, codedBytes } = codedSectors(coded);
      checkFileSector(batches.sector());
      table.writeUInt32LE(batches.sector(), 4 * (grain % tableEntries));
      const room = await batches.reserve(sectors * sectorBytes);
      fillGrain(room, diskSector, coded, codedBytes);
    },
    end: async () => {
      await closeTable();
      tableIndex = -1;
      await batches.append(encodeMarker(markerTypes.grainDirectory, directory.length / sectorBytes));
      const directorySector = batches.sector();
      checkFileSector(directorySector);
      await batches.append(directory);
      await batches.append(encodeMarker(markerTypes.footer, 1));
      await batches.append(headerSector(directorySector));
      await batches.append(encodeMarker(markerTypes.endOfStream, 0));
      await batches.drain();
    },
  };
}
