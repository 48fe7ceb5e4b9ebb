import type { BootDiskFacts, SectorRange } from '@ascend/domain';
import type { ByteSource } from '../byteSource.ts';
import { readGptCopy, type GptCopy } from './gptHeader.ts';
import type { PartitionTable } from './partitionTable.ts';
import { biosBootType } from './partitionTypes.ts';

/** What of a disk is free, and whether its table can take another partition. */
export type TableSpace = Pick<BootDiskFacts, 'scheme' | 'freeAreas' | 'freeNumber' | 'biosBoot' | 'obstacle'>;

const sectorBytes = 512;
const maxMbrSectors = 2 ** 32 - 1;

/** What is left of `whole` (first to last sector) when `taken` is taken out. */
function freeAreas(
  whole: { readonly first: number; readonly last: number },
  taken: readonly SectorRange[],
): readonly SectorRange[] {
  const free: SectorRange[] = [];
  let next = whole.first;
  for (const { firstSector, sectors } of taken.toSorted(
    (left, right) => left.firstSector - right.firstSector,
  )) {
    if (firstSector > next)
      free.push({ firstSector: next, sectors: Math.min(firstSector, whole.last + 1) - next });
    next = Math.max(next, firstSector + sectors);
  }
  if (next <= whole.last) free.push({ firstSector: next, sectors: whole.last + 1 - next });
  return free.filter(({ sectors }) => sectors > 0);
}

/** Primary entries as they are written: an extended partition counts with all that is in it. */
async function mbrSpace(source: ByteSource): Promise<TableSpace> {
  const sector = await source.read(0, sectorBytes);
  const entries = [0, 1, 2, 3].map((index) => {
    const at = 446 + 16 * index;
    const area = { firstSector: sector.readUInt32LE(at + 8), sectors: sector.readUInt32LE(at + 12) };
    return { number: index + 1, type: sector.readUInt8(at + 4), area };
  });
  const used = entries.filter(({ type, area }) => type !== 0 && area.sectors > 0);
  const free = entries.find(({ type, area }) => type === 0 && area.sectors === 0);
  const last = Math.min(Math.floor(source.sizeBytes / sectorBytes), maxMbrSectors) - 1;
  return {
    scheme: 'mbr',
    freeAreas: freeAreas(
      { first: 1, last },
      used.map(({ area }) => area),
    ),
    freeNumber: free?.number ?? null,
    biosBoot: null,
    obstacle: null,
  };
}

function firstFree({ tableBlock, table, firstUsable }: GptCopy): number {
  const behindTable = tableBlock + Math.ceil(table.length / sectorBytes);
  return tableBlock === 2 ? Math.min(behindTable, firstUsable) : firstUsable;
}

async function gptSpace(source: ByteSource, table: PartitionTable): Promise<TableSpace> {
  const nothing = { scheme: 'gpt', freeAreas: [], freeNumber: null } as const;
  const taken = table.partitions.map(({ offsetBytes, sizeBytes }) => ({
    firstSector: Math.floor(offsetBytes / sectorBytes),
    sectors: Math.ceil(sizeBytes / sectorBytes),
  }));
  const bios = table.partitions.findIndex(({ type }) => type === biosBootType);
  const biosBoot = taken[bios] ?? null;
  const primary = await readGptCopy(source, 1);
  if (primary === null)
    return { ...nothing, biosBoot, obstacle: 'its partition table is damaged, or has blocks of 4096 bytes' };
  const backup = await readGptCopy(source, primary.otherBlock);
  if (backup === null || !backup.table.equals(primary.table))
    return { ...nothing, biosBoot, obstacle: 'the second copy of its partition table is damaged' };
  const { lastUsable: last, count } = primary;
  // Some programs keep the first MiB out of the usable range; what lies behind the table is free all the same.
  const first = firstFree(primary);
  const numbers = new Set(table.partitions.map(({ number }) => number));
  const slots = Array.from({ length: count }, (_, index) => index);
  const free = slots.find(
    (index) =>
      !numbers.has(index + 1) &&
      primary.table.subarray(index * 128, index * 128 + 128).every((byte) => byte === 0),
  );
  const inside = last * sectorBytes < source.sizeBytes;
  return {
    scheme: 'gpt',
    freeAreas: inside ? freeAreas({ first, last }, taken) : [],
    freeNumber: free === undefined ? null : free + 1,
    biosBoot,
    obstacle: inside ? null : 'its partition table does not fit the disk',
  };
}

/** Reads what of a disk is free. Everything in a table is hostile: nothing outside of the disk is named. */
export async function readTableSpace(source: ByteSource, table: PartitionTable): Promise<TableSpace> {
  if (table.scheme === 'mbr') return await mbrSpace(source);
  if (table.scheme === 'gpt') return await gptSpace(source, table);
  return { scheme: 'none', freeAreas: [], freeNumber: null, biosBoot: null, obstacle: null };
}
