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
const fileParameters = '3767a1ca36fa434db3b633f0aa44e76b';
const virtualDiskSize = '2442a52f1bcd7648b2115dbed83bf4b8';
const maxEntries = 2047;

/** True when the bytes start like a VHDX file. */
export function looksLikeVhdx(head: Buffer): boolean {
  return head.length >= 8 && head.toString('latin1', 0, 8) === 'vhdxfile';
}

interface Entry {
  readonly guid: string;
  readonly at: number;
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
    return { guid: table.toString('hex', at, at + 16), at: offset };
  });
}

async function findMetadata(file: ByteReader): Promise<number> {
  const table = await file.readAt(regionTableAt, 64 * 1024);
  if (table.toString('latin1', 0, 4) !== 'regi') throw headerError(file.label, 'the region table is missing');
  const regions = readEntries(table, table.readUInt32LE(8), 16, true, file.label);
  const region = regions.find((entry) => entry.guid === metadataRegion);
  if (region === undefined) throw headerError(file.label, 'there is no metadata region');
  return region.at;
}

/**
 * Reads and checks the tables of a VHDX file as far as size and kind need them. An unfinished log shows when the image is opened.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH, DISK_HEADER_INVALID, DISK_IMAGE_TRUNCATED; DISK_FORMAT_UNSUPPORTED - a differencing disk
 */
export async function readVhdxHeader(file: ByteReader): Promise<ImageHeader> {
  const { label } = file;
  const head = await file.readAt(0, Math.min(512, file.sizeBytes));
  if (!looksLikeVhdx(head)) throw headerError(label, 'this is no VHDX file', 'DISK_FORMAT_MISMATCH');
  const metadataAt = await findMetadata(file);
  const table = await file.readAt(metadataAt, 64 * 1024);
  if (table.toString('latin1', 0, 8) !== 'metadata')
    throw headerError(label, 'the metadata table is missing');
  const items = readEntries(table, table.readUInt16LE(10), 32, false, label);
  const size = items.find((entry) => entry.guid === virtualDiskSize);
  const parameters = items.find((entry) => entry.guid === fileParameters);
  if (size === undefined || parameters === undefined)
    throw headerError(label, 'size or parameters are missing');
  const flags = await file.readAt(metadataAt + parameters.at, 8);
  if ((flags.readUInt32LE(4) & 2) !== 0) {
    throw headerError(label, 'differencing disks are not read', 'DISK_FORMAT_UNSUPPORTED');
  }
  const value = (await file.readAt(metadataAt + size.at, 8)).readBigUInt64LE(0);
  const virtualSizeBytes = checkedVirtualSize(safeNumber(value, label, 'the virtual size'), label);
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
