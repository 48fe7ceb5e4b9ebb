import { AppError } from '@ascend/errors';

// Layout of hosted sparse extents: "Virtual Disk Format 5.0" (VMware technical note, 2011). Little-endian, in sectors of 512 bytes.

/** Unit of every offset in a VMDK. */
export const sectorBytes = 512;
/** A grain is the unit of allocation: 64 KiB, the size VMware's own tools write. */
export const grainBytes = 64 * 1024;
/** Sectors of a grain. */
export const grainSectors = grainBytes / sectorBytes;
/** Entries of a grain table: fixed by the format. */
export const tableEntries = 512;
/** Bytes of a grain table: 32-bit sector numbers. */
export const tableBytes = tableEntries * 4;
/** Sectors of a grain table. */
export const tableSectors = tableBytes / sectorBytes;
/** Bytes of disk that one grain table maps: 32 MiB. */
export const tableCoverBytes = tableEntries * grainBytes;
/** Where the embedded descriptor starts, and how long it may be. */
export const descriptorSector = 1;
/** Room for the embedded descriptor, as VMware and QEMU leave it. */
export const descriptorSectors = 20;
/** `gdSector` of a header whose grain directory follows the data: the footer at the end of the file tells where. */
export const directoryAtEnd = 'at-end';

// Largest virtual disk of VMware (62 TB, "Configuration Maximums" since vSphere 5.5); no product of it opens a larger one.
const maxDiskBytes = 62 * 2 ** 40;
// Entries of grain tables and directories are 32-bit sector numbers.
const maxSector = 0xffff_ffff;

/** The fields of a sparse extent header that differ between the kinds written here. */
export interface SparseHeader {
  readonly kind: 'plain' | 'compressed';
  readonly capacitySectors: number;
  /** Sector of the redundant grain directory; null = the extent has none. */
  readonly redundantSector: number | null;
  readonly directorySector: number | typeof directoryAtEnd;
  /** First sector of the grains. */
  readonly overheadSectors: number;
}

const newlineTestFlag = 1;
const redundantFlag = 1 << 1;
const compressedFlag = 1 << 16;
const markersFlag = 1 << 17;

/** The header (and footer) sector of a sparse extent. */
export function encodeSparseHeader(header: SparseHeader): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  const compressed = header.kind === 'compressed';
  const redundant = header.redundantSector !== null;
  sector.write('KDMV', 0, 'latin1');
  // Version 2 (zeroed-grain entries) is not read by every product; 3 is the one of compressed extents.
  sector.writeUInt32LE(compressed ? 3 : 1, 4);
  sector.writeUInt32LE(
    newlineTestFlag | (redundant ? redundantFlag : 0) | (compressed ? compressedFlag | markersFlag : 0),
    8,
  );
  sector.writeBigUInt64LE(BigInt(header.capacitySectors), 12);
  sector.writeBigUInt64LE(BigInt(grainSectors), 20);
  sector.writeBigUInt64LE(BigInt(descriptorSector), 28);
  sector.writeBigUInt64LE(BigInt(descriptorSectors), 36);
  sector.writeUInt32LE(tableEntries, 44);
  sector.writeBigUInt64LE(BigInt(header.redundantSector ?? 0), 48);
  sector.writeBigUInt64LE(
    header.directorySector === directoryAtEnd ? 2n ** 64n - 1n : BigInt(header.directorySector),
    56,
  );
  sector.writeBigUInt64LE(BigInt(header.overheadSectors), 64);
  // Broken by any transfer that changes line ends.
  sector.write('\n \r\n', 73, 'latin1');
  // 1 = deflate. The field is not aligned.
  sector.writeUInt16LE(compressed ? 1 : 0, 77);
  return sector;
}

/** How many grain tables a disk of this size has. */
export function tableCountOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / tableCoverBytes);
}

function limitError(message: string, details: Record<string, number>): AppError {
  return new AppError({ code: 'DISK_FORMAT_LIMIT', message, details: { format: 'vmdk', ...details } });
}

/**
 * Refuses a disk that no VMDK can hold.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - above 62 TiB; DISK_RANGE_INVALID - no multiple of 512
 */
export function checkVmdkSize(sizeBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % sectorBytes !== 0) {
    throw new AppError({
      code: 'DISK_RANGE_INVALID',
      message: `make VMDK: ${sizeBytes} is no size of a disk (a multiple of 512 bytes)`,
      details: { sizeBytes },
    });
  }
  if (sizeBytes <= maxDiskBytes) return;
  throw limitError(`make VMDK: ${sizeBytes} bytes are more than the ${maxDiskBytes} of the format`, {
    sizeBytes,
    limitBytes: maxDiskBytes,
  });
}

/**
 * Refuses to place something where no table entry can name it: the data of one file ends at 2 TiB.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT
 */
export function checkFileSector(sector: number): void {
  if (sector <= maxSector) return;
  throw limitError(
    `write VMDK: the file would be longer than ${maxSector} sectors, the most one extent can name`,
    {
      sizeBytes: sector * sectorBytes,
      limitBytes: maxSector * sectorBytes,
    },
  );
}
