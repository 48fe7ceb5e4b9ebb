import type { Firmware, VolumeFacts } from '@ascend/domain';
import { sliceSource, type ByteSource } from '../byteSource.ts';
import { assembleGroups } from './lvm/assembleGroups.ts';
import { assembleArrays } from './md/assembleArrays.ts';
import { readMdMember, type MdMember } from './md/superblock.ts';
import { biosBootType, espTypes } from './partitionTypes.ts';
import { readPartitionTable, type PartitionTable } from './partitionTable.ts';
import { requirementOf, type Area, type StackedVolume } from './stackedVolume.ts';
import { readVolumeContent } from './volumeContent.ts';

/** One disk of the guest, opened for reading. */
export interface OpenDisk {
  readonly diskIndex: number;
  readonly source: ByteSource;
}

/** What the volumes of all disks are, and what the root disk's table says about the firmware. */
export interface DiskLayout {
  readonly volumes: readonly VolumeFacts[];
  readonly tables: ReadonlyMap<number, PartitionTable>;
  /** Bytes of each of `volumes`, by index; null where only the guest's own drivers can put them together. */
  readonly sources: readonly (ByteSource | null)[];
}

interface Place {
  readonly partition: number | null;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly partitionUuid?: string;
}

function placesOf(table: PartitionTable, source: ByteSource): readonly Place[] {
  if (table.scheme === 'none') return [{ partition: null, offsetBytes: 0, sizeBytes: source.sizeBytes }];
  return table.partitions.map(({ number, offsetBytes, sizeBytes, uuid }) => ({
    partition: number,
    offsetBytes,
    sizeBytes,
    partitionUuid: uuid,
  }));
}

interface PlacedVolume {
  readonly facts: VolumeFacts;
  readonly area: Area;
  readonly member: MdMember | null;
}

async function describePlace({ diskIndex, source }: OpenDisk, place: Place): Promise<PlacedVolume> {
  const { offsetBytes, sizeBytes } = place;
  const segments = [{ diskIndex, offsetBytes, sizeBytes }];
  const area: Area = { source: sliceSource(source, offsetBytes, sizeBytes), segments, obstacle: null };
  const { obstacle, ...content } = await readVolumeContent(area.source);
  // A superblock at the end decides against the file system that seems to start at the beginning.
  const member = await readMdMember(area.source);
  const held = member === null ? content : { content: 'mdraid', uuid: member.setUuid, label: null };
  const requirement = member === null ? requirementOf(content.content, area, obstacle) : {};
  return { facts: { diskIndex, ...place, ...held, segments, ...requirement }, area, member };
}

/**
 * Reads the partition tables of all disks and tells what each partition (or table-less disk) holds; then puts together
 * the software RAIDs and LVM volumes that lie on them. What cannot be put together is named with its reason.
 */
export async function readLayout(disks: readonly OpenDisk[]): Promise<DiskLayout> {
  const tables = new Map<number, PartitionTable>();
  const placed: PlacedVolume[] = [];
  for (const disk of disks) {
    const table = await readPartitionTable(disk.source);
    tables.set(disk.diskIndex, table);
    for (const place of placesOf(table, disk.source)) placed.push(await describePlace(disk, place));
  }
  const members = placed.flatMap(({ member, area }) => (member === null ? [] : [{ member, area }]));
  const arrays = await assembleArrays(members);
  const groups = await assembleGroups([
    ...placed.filter(({ facts }) => facts.content === 'lvm2').map(({ area }) => area),
    ...arrays.flatMap(physicalArea),
  ]);
  const stacked = [...arrays, ...groups];
  return {
    volumes: [...placed, ...stacked].map(({ facts }) => facts),
    tables,
    sources: [...placed.map(({ area }) => area.source), ...stacked.map(({ source }) => source)],
  };
}

/** An array that is a physical volume of LVM. Whatever lies on it inherits why one disk does not hold it all. */
function physicalArea({ facts, source }: StackedVolume): Area[] {
  if (source === null || facts.content !== 'lvm2') return [];
  const obstacle = facts.requiresReason ?? 'on a software RAID';
  return [{ source, segments: facts.segments ?? [], obstacle }];
}

/** The firmware a disk can boot with: an EFI system partition means UEFI, none means BIOS, both marks leave it open. */
export function firmwareOf(table: PartitionTable | undefined): Firmware | 'unknown' {
  if (table === undefined || table.scheme === 'none') return 'unknown';
  const types = table.partitions.map((part) => part.type);
  const esp = types.some((type) => espTypes.has(type));
  if (!esp) return 'bios';
  return types.includes(biosBootType) ? 'unknown' : 'uefi';
}
