import {
  checkedVirtualSize,
  headerError,
  safeNumber,
  type ByteReader,
  type ImageHeader,
} from './imageHeader.ts';

// [MS-VHDX] 2.2 (layout), 2.5 (region table), 2.6 (metadata); GUIDs in file byte order.
const regionTableAt = 192 * 1024;
const metadataRegion = '06a27c8b90479a4bb8fe575f050f886e';
const tableRegion = '6677c22d23f600429d64115e9bfd4a08';
const fileParameters = '3767a1ca36fa434db3b633f0aa44e76b';
const virtualDiskSize = '2442a52f1bcd7648b2115dbed83bf4b8';
const logicalSectorSize = '1dbf41816fa90947ba47f233a8faab5f';
const maxEntries = 2047;

/** True when the bytes start like a VHDX file. */
export function looksLikeVhdx(head: Buffer): boolean {
  return head.length >= 8 && head.toString('latin1', 0, 8) === 'vhdxfile';
}

interface Entry {
  readonly guid: string;
  readonly at: number;
  readonly lengthBytes: number;
}

/** Where the block allocation table lies, and what it maps; [MS-VHDX] 2.5. */
export interface VhdxLayout {
  readonly virtualSizeBytes: number;
  readonly blockBytes: number;
  readonly sectorBytes: number;
  readonly table: { readonly offsetBytes: number; readonly lengthBytes: number };
  readonly metadata: { readonly offsetBytes: number; readonly lengthBytes: number };
}

function readEntries(
  table: Buffer,
  count: number,
  first: number,
  offsetIs64: boolean,
  label: string,
): Entry[] {
  if (count > maxEntries || first + count * 32 > table.length) {
    throw headerError(label, `a table of ${count} entries does not fit`);
  }
  return Array.from({ length: count }, (_, index) => {
    const at = first + index * 32;
    const offset = offsetIs64
      ? safeNumber(table.readBigUInt64LE(at + 16), label, 'a region offset')
      : table.readUInt32LE(at + 16);
    const lengthBytes = table.readUInt32LE(at + (offsetIs64 ? 24 : 20));
    return { guid: table.toString('hex', at, at + 16), at: offset, lengthBytes };
  });
}

async function readRegions(file: ByteReader): Promise<{ metadata: Entry; table: Entry }> {
  const region = await file.readAt(regionTableAt, 64 * 1024);
  if (region.toString('latin1', 0, 4) !== 'regi')
    throw headerError(file.label, 'the region table is missing');
  const regions = readEntries(region, region.readUInt32LE(8), 16, true, file.label);
  const metadata = regions.find((entry) => entry.guid === metadataRegion);
  if (metadata === undefined) throw headerError(file.label, 'there is no metadata region');
  const table = regions.find((entry) => entry.guid === tableRegion);
  if (table === undefined) throw headerError(file.label, 'there is no block table region');
  return { metadata, table };
}

/**
 * Reads and checks the tables of a VHDX file as far as size and kind need them. An unfinished log shows when the image is opened.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH, DISK_HEADER_INVALID, DISK_IMAGE_TRUNCATED; DISK_FORMAT_UNSUPPORTED - a differencing disk
 */
export async function readVhdxHeader(file: ByteReader): Promise<ImageHeader> {
  const { virtualSizeBytes } = await readVhdxLayout(file);
  return {
    format: 'vhdx',
    virtualSizeBytes,
    backing: null,
    l1: null,
    clusterBytes: null,
    extentFiles: [],
    closedCleanly: true,
  };
}

const mib = 1024 * 1024;

function checkGeometry(layout: VhdxLayout, file: ByteReader): void {
  const { blockBytes, sectorBytes, table, virtualSizeBytes } = layout;
  if (blockBytes < mib || blockBytes > 256 * mib || (blockBytes & (blockBytes - 1)) !== 0) {
    throw headerError(file.label, `the block size ${blockBytes} is impossible`);
  }
  if (sectorBytes !== 512 && sectorBytes !== 4096) {
    throw headerError(file.label, `the sector size ${sectorBytes} is impossible`);
  }
  if (table.offsetBytes < mib || table.offsetBytes % mib !== 0) {
    throw headerError(file.label, `the block table lies at ${table.offsetBytes}`);
  }
  if (table.offsetBytes + table.lengthBytes > file.sizeBytes) {
    throw headerError(file.label, 'the block table ends behind the file', 'DISK_IMAGE_TRUNCATED');
  }
  const blocks = Math.ceil(virtualSizeBytes / blockBytes);
  const entries = blocks + Math.floor((blocks - 1) / ((2 ** 23 * sectorBytes) / blockBytes));
  if (entries * 8 > table.lengthBytes) {
    throw headerError(
      file.label,
      `a block table of ${table.lengthBytes} bytes does not hold ${blocks} blocks`,
    );
  }
}

/**
 * Size, block size and table of a VHDX.
 *
 * @throws {AppError} as `readVhdxHeader`
 */
export async function readVhdxLayout(file: ByteReader): Promise<VhdxLayout> {
  const { label } = file;
  const head = await file.readAt(0, Math.min(512, file.sizeBytes));
  if (!looksLikeVhdx(head)) throw headerError(label, 'this is no VHDX file', 'DISK_FORMAT_MISMATCH');
  const regions = await readRegions(file);
  const metadataAt = regions.metadata.at;
  const table = await file.readAt(metadataAt, 64 * 1024);
  if (table.toString('latin1', 0, 8) !== 'metadata')
    throw headerError(label, 'the metadata table is missing');
  const items = readEntries(table, table.readUInt16LE(10), 32, false, label);
  const item = async (guid: string, lengthBytes: number): Promise<Buffer> => {
    const found = items.find((entry) => entry.guid === guid);
    if (found === undefined) throw headerError(label, 'size or parameters are missing');
    return await file.readAt(metadataAt + found.at, lengthBytes);
  };
  const parameters = await item(fileParameters, 8);
  if ((parameters.readUInt32LE(4) & 2) !== 0) {
    throw headerError(label, 'differencing disks are not read', 'DISK_FORMAT_UNSUPPORTED');
  }
  const value = (await item(virtualDiskSize, 8)).readBigUInt64LE(0);
  const layout: VhdxLayout = {
    virtualSizeBytes: checkedVirtualSize(safeNumber(value, label, 'the virtual size'), label),
    blockBytes: parameters.readUInt32LE(0),
    sectorBytes: (await item(logicalSectorSize, 4)).readUInt32LE(0),
    table: { offsetBytes: regions.table.at, lengthBytes: regions.table.lengthBytes },
    metadata: { offsetBytes: metadataAt, lengthBytes: regions.metadata.lengthBytes },
  };
  checkGeometry(layout, file);
  return layout;
}
