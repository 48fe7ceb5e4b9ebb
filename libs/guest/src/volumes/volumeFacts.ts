import type { Firmware, VolumeFacts } from '@ascend/domain';
import { sliceSource, type ByteSource } from '../byteSource.ts';
import { readPartitionTable, type PartitionTable } from './partitionTable.ts';
import { readVolumeContent } from './volumeContent.ts';

/** One disk of the guest, opened for reading. */
export interface OpenDisk {
  readonly diskIndex: number;
  readonly source: ByteSource;
}

const espTypes = new Set(['ef', 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b']);
const biosBootType = '21686148-6449-6e6f-744e-656564454649';

/** What the volumes of all disks are, and what the root disk's table says about the firmware. */
export interface DiskLayout {
  readonly volumes: readonly VolumeFacts[];
  readonly tables: ReadonlyMap<number, PartitionTable>;
}

/** Bytes of one volume. */
export function volumeSource(disks: readonly OpenDisk[], volume: VolumeFacts): ByteSource | null {
  const disk = disks.find((candidate) => candidate.diskIndex === volume.diskIndex);
  return disk === undefined ? null : sliceSource(disk.source, volume.offsetBytes, volume.sizeBytes);
}

/** Reads the partition tables of all disks and tells what each partition (or table-less disk) holds. */
export async function readLayout(disks: readonly OpenDisk[]): Promise<DiskLayout> {
  const volumes: VolumeFacts[] = [];
  const tables = new Map<number, PartitionTable>();
  for (const { diskIndex, source } of disks) {
    const table = await readPartitionTable(source);
    tables.set(diskIndex, table);
    const places =
      table.scheme === 'none'
        ? [{ partition: null, offsetBytes: 0, sizeBytes: source.sizeBytes }]
        : table.partitions.map((part) => ({
            partition: part.number,
            offsetBytes: part.offsetBytes,
            sizeBytes: part.sizeBytes,
          }));
    for (const place of places) {
      const content = await readVolumeContent(sliceSource(source, place.offsetBytes, place.sizeBytes));
      volumes.push({ diskIndex, ...place, ...content });
    }
  }
  return { volumes, tables };
}

/** The firmware a disk can boot with: an EFI system partition means UEFI, none means BIOS, both marks leave it open. */
export function firmwareOf(table: PartitionTable | undefined): Firmware | 'unknown' {
  if (table === undefined || table.scheme === 'none') return 'unknown';
  const types = table.partitions.map((part) => part.type);
  const esp = types.some((type) => espTypes.has(type));
  if (!esp) return 'bios';
  return types.includes(biosBootType) ? 'unknown' : 'uefi';
}
