import type { ByteSource } from '../byteSource.ts';

/** One partition of a disk. `number` is the one Linux gives it: `sda<number>`. */
interface Partition {
  readonly number: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** MBR type byte as two hex digits, or GPT type GUID in lower case. */
  readonly type: string;
  /** As Linux writes it after `PARTUUID=`: GPT GUID, or MBR disk signature and number. */
  readonly uuid: string;
}

/** How a disk is divided. `none`: no table; a file system may fill the whole disk. */
export interface PartitionTable {
  readonly scheme: 'mbr' | 'gpt' | 'none';
  readonly partitions: readonly Partition[];
}

const sectorBytes = 512;
const maxLogical = 60;
const maxGptEntries = 1024;
const extendedTypes = new Set([0x05, 0x0f, 0x85]);

interface MbrEntry {
  readonly type: number;
  readonly firstSector: number;
  readonly sectors: number;
}

function mbrEntries(sector: Buffer): readonly MbrEntry[] | null {
  if (sector.length < sectorBytes || sector.readUInt16LE(510) !== 0xaa55) return null;
  return [0, 1, 2, 3].map((index) => {
    const at = 446 + index * 16;
    return {
      type: sector.readUInt8(at + 4),
      firstSector: sector.readUInt32LE(at + 8),
      sectors: sector.readUInt32LE(at + 12),
    };
  });
}

/** Where on which disk an entry's sectors count. */
interface MbrBase {
  readonly sector: number;
  readonly diskBytes: number;
  /** Disk signature, eight hex digits. */
  readonly signature: string;
}

function toPartition(number: number, entry: MbrEntry, base: MbrBase): Partition[] {
  const { sector: baseSector, diskBytes, signature } = base;
  const offsetBytes = (baseSector + entry.firstSector) * sectorBytes;
  const sizeBytes = Math.min(entry.sectors * sectorBytes, diskBytes - offsetBytes);
  if (entry.type === 0 || entry.sectors === 0 || offsetBytes === 0 || sizeBytes <= 0) return [];
  const type = entry.type.toString(16).padStart(2, '0');
  return [
    { number, offsetBytes, sizeBytes, type, uuid: `${signature}-${number.toString(16).padStart(2, '0')}` },
  ];
}

/** Follows the chain of extended boot records; bounded, and a record that was seen ends it. */
async function readLogical(source: ByteSource, extended: MbrEntry, signature: string): Promise<Partition[]> {
  const found: Partition[] = [];
  const seen = new Set<number>();
  let record = extended.firstSector;
  while (found.length < maxLogical && !seen.has(record)) {
    seen.add(record);
    if ((record + 1) * sectorBytes > source.sizeBytes) break;
    const entries = mbrEntries(await source.read(record * sectorBytes, sectorBytes));
    const [logical, next] = entries ?? [];
    if (logical === undefined || next === undefined) break;
    const base = { sector: record, diskBytes: source.sizeBytes, signature };
    found.push(...toPartition(5 + found.length, logical, base));
    if (!extendedTypes.has(next.type)) break;
    record = extended.firstSector + next.firstSector;
  }
  return found;
}

async function readMbr(
  source: ByteSource,
  entries: readonly MbrEntry[],
  signature: string,
): Promise<PartitionTable> {
  const base = { sector: 0, diskBytes: source.sizeBytes, signature };
  const primary = entries.flatMap((entry, index) => toPartition(index + 1, entry, base));
  const extended = entries.find((entry) => extendedTypes.has(entry.type));
  const logical = extended === undefined ? [] : await readLogical(source, extended, signature);
  const partitions = [
    ...primary.filter((part) => !extendedTypes.has(Number.parseInt(part.type, 16))),
    ...logical,
  ];
  return { scheme: 'mbr', partitions };
}

/** The text form of a GUID stored in the mixed byte order of GPT. */
function guidText(bytes: Buffer): string {
  const hex = (from: number, to: number, swap: boolean): string => {
    const part = bytes.subarray(from, to);
    return Buffer.from(swap ? part.toReversed() : part).toString('hex');
  };
  return [hex(0, 4, true), hex(4, 6, true), hex(6, 8, true), hex(8, 10, false), hex(10, 16, false)].join('-');
}

async function readGpt(source: ByteSource, blockBytes: number): Promise<PartitionTable | null> {
  if (source.sizeBytes < blockBytes * 2) return null;
  const header = await source.read(blockBytes, 512);
  if (header.toString('latin1', 0, 8) !== 'EFI PART') return null;
  const tableOffset = Number(header.readBigUInt64LE(72)) * blockBytes;
  const count = Math.min(header.readUInt32LE(80), maxGptEntries);
  const entryBytes = header.readUInt32LE(84);
  if (entryBytes < 128 || entryBytes > 4096 || tableOffset + count * entryBytes > source.sizeBytes)
    return null;
  const table = await source.read(tableOffset, count * entryBytes);
  const partitions: Partition[] = [];
  for (let index = 0; index < count; index += 1) {
    const entry = table.subarray(index * entryBytes, (index + 1) * entryBytes);
    const type = guidText(entry.subarray(0, 16));
    const first = Number(entry.readBigUInt64LE(32));
    const last = Number(entry.readBigUInt64LE(40));
    const offsetBytes = first * blockBytes;
    const sizeBytes = Math.min((last - first + 1) * blockBytes, source.sizeBytes - offsetBytes);
    if (/^[0-]+$/.test(type) || sizeBytes <= 0 || offsetBytes <= 0) continue;
    const uuid = guidText(entry.subarray(16, 32));
    partitions.push({ number: index + 1, offsetBytes, sizeBytes, type, uuid });
  }
  return { scheme: 'gpt', partitions };
}

/**
 * Reads the partition table of a disk: MBR with logical partitions, or GPT with 512 or 4096 byte blocks.
 * Never throws for a malformed table: what does not fit on the disk is left out.
 */
export async function readPartitionTable(source: ByteSource): Promise<PartitionTable> {
  if (source.sizeBytes < sectorBytes) return { scheme: 'none', partitions: [] };
  const first = await source.read(0, sectorBytes);
  const entries = mbrEntries(first);
  if (entries === null) return { scheme: 'none', partitions: [] };
  if (entries.some((entry) => entry.type === 0xee)) {
    const gpt = (await readGpt(source, 512)) ?? (await readGpt(source, 4096));
    if (gpt !== null) return gpt;
  }
  // Boot sectors of FAT and NTFS end in 55 AA as well; their "entries" are code.
  const plausible = entries.every(
    (entry) => entry.type === 0 || entry.firstSector * sectorBytes < source.sizeBytes,
  );
  const signature = first.readUInt32LE(440).toString(16).padStart(8, '0');
  const table = plausible
    ? await readMbr(source, entries, signature)
    : { scheme: 'none' as const, partitions: [] };
  return table.partitions.length === 0 ? { scheme: 'none', partitions: [] } : table;
}
