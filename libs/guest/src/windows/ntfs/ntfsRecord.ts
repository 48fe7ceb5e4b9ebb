import { AppError } from '@ascend/errors';
import type { ByteSource } from '../../byteSource.ts';

/** Where the records of the master file table are. */
export interface NtfsGeometry {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  readonly recordBytes: number;
  readonly tableOffset: number;
}

function ntfsError(problem: string): AppError {
  return new AppError({ code: 'GUEST_FILE_SYSTEM_CORRUPT', message: `read NTFS: ${problem}` });
}

function isPowerOfTwo(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && (value & (value - 1)) === 0;
}

/** Reads the boot sector. @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - no NTFS, or sizes that cannot be */
export async function readNtfsGeometry(volume: ByteSource): Promise<NtfsGeometry> {
  const boot = await volume.read(0, 512);
  if (boot.toString('latin1', 3, 11) !== 'NTFS    ') throw ntfsError('no NTFS boot sector');
  const sectorBytes = boot.readUInt16LE(0x0b);
  const stored = boot.readUInt8(0x0d);
  // Above 128 the number is a negative power of two (clusters of more than 64 KiB).
  const clusterBytes = sectorBytes * (stored > 128 ? 2 ** (256 - stored) : stored);
  const perRecord = boot.readInt8(0x40);
  const recordBytes = perRecord > 0 ? perRecord * clusterBytes : 2 ** -perRecord;
  const table = boot.readBigUInt64LE(0x30);
  const fits =
    isPowerOfTwo(sectorBytes, 512, 4096) &&
    isPowerOfTwo(clusterBytes, 512, 2 * 1024 * 1024) &&
    isPowerOfTwo(recordBytes, 512, 65_536) &&
    table * BigInt(clusterBytes) < BigInt(volume.sizeBytes);
  if (!fits) throw ntfsError(`clusters of ${clusterBytes} and records of ${recordBytes} bytes cannot be`);
  return { sectorBytes, clusterBytes, recordBytes, tableOffset: Number(table) * clusterBytes };
}

/** Puts back the last two bytes of each sector, which a multi-sector structure keeps in its update sequence array. */
export function applyFixups(block: Buffer, sectorBytes: number): Buffer {
  const [at, count] = [block.readUInt16LE(4), block.readUInt16LE(6)];
  if (count === 0 || at + count * 2 > block.length || (count - 1) * sectorBytes > block.length) {
    throw ntfsError(`an update sequence of ${count} words at ${at}`);
  }
  const fixed = Buffer.from(block);
  for (let sector = 1; sector < count; sector += 1) {
    const end = sector * sectorBytes - 2;
    if (block.readUInt16LE(end) !== block.readUInt16LE(at)) throw ntfsError('a record was torn');
    block.copy(fixed, end, at + sector * 2, at + sector * 2 + 2);
  }
  return fixed;
}

/** One of the first 16 records of the master file table, which always lie together. @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT */
export async function readSystemRecord(
  volume: ByteSource,
  geometry: NtfsGeometry,
  number: number,
): Promise<Buffer> {
  const { recordBytes, tableOffset, sectorBytes } = geometry;
  const record = await volume.read(tableOffset + number * recordBytes, recordBytes);
  if (record.toString('latin1', 0, 4) !== 'FILE') throw ntfsError(`record ${number} is no file record`);
  return applyFixups(record, sectorBytes);
}

/** The first attribute of a type in a record; null when the record has none. @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT */
export function findAttribute(record: Buffer, type: number): Buffer | null {
  let at = record.readUInt16LE(20);
  while (at + 24 <= record.length) {
    const found = record.readUInt32LE(at);
    if (found === 0xffffffff) return null;
    const size = record.readUInt32LE(at + 4);
    if (size < 24 || at + size > record.length) throw ntfsError(`an attribute of ${size} bytes`);
    if (found === type) return record.subarray(at, at + size);
    at += size;
  }
  return null;
}

/** Byte offset of the first run of an attribute that is stored outside of its record; null when it is inside or sparse. */
export function firstRunOffset(attribute: Buffer, clusterBytes: number): number | null {
  if (attribute.readUInt8(8) !== 1 || attribute.length < 64) return null;
  const at = attribute.readUInt16LE(32);
  if (at >= attribute.length) return null;
  const header = attribute.readUInt8(at);
  const [lengthBytes, offsetBytes] = [header & 15, header >> 4];
  if (lengthBytes === 0 || offsetBytes === 0 || offsetBytes > 6) return null;
  const start = at + 1 + lengthBytes;
  return start + offsetBytes > attribute.length
    ? null
    : attribute.readUIntLE(start, offsetBytes) * clusterBytes;
}
