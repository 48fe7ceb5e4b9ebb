import type { ApplianceProcess } from './applianceProcess.ts';
import type { BlockDevices } from './blockDevices.ts';
import { numberOf, parseRecord, parseRecords } from './fishOutput.ts';
import type { LuksVolume } from './unlock.ts';

/** A disk of the guest as the appliance calls it. */
export interface ApplianceDisk {
  readonly diskIndex: number;
  readonly device: string;
  readonly sizeBytes: number;
}

/** A subvolume of a Btrfs. */
interface Subvolume {
  readonly id: number;
  /** From the top of the file system. */
  readonly path: string;
}

/** A file system or swap space, on whatever layers. */
export interface ApplianceFileSystem {
  readonly device: string;
  /** As blkid says: ext4, xfs, btrfs, vfat, ntfs, swap … */
  readonly type: string;
  readonly label: string | null;
  readonly uuid: string | null;
  readonly sizeBytes: number | null;
  /** Empty for other types; null: they cannot be told. */
  readonly subvolumes: readonly Subvolume[] | null;
}

/** A software RAID array that runs. */
interface ApplianceArray {
  readonly device: string;
  readonly level: string | null;
  readonly uuid: string | null;
  readonly members: number | null;
}

/** A logical volume; thin pools have no size of their own here. */
interface ApplianceLogicalVolume {
  readonly device: string;
  readonly sizeBytes: number | null;
}

/** What the appliance sees on the disks. Names of devices hold for this session alone, but for logical volumes. */
export interface ApplianceLayout {
  readonly disks: readonly ApplianceDisk[];
  readonly fileSystems: readonly ApplianceFileSystem[];
  readonly logicalVolumes: readonly ApplianceLogicalVolume[];
  readonly arrays: readonly ApplianceArray[];
  readonly luks: readonly LuksVolume[];
}

/** Contents that hold other volumes, not files. */
const containers = new Set(['linux_raid_member', 'LVM2_member', 'crypto_LUKS', 'BitLocker', 'bcache']);
const maxSubvolumes = 1_000;

/** A name with a line end in it makes libguestfs refuse the whole list. */
async function subvolumesOf(process: ApplianceProcess, device: string): Promise<readonly Subvolume[] | null> {
  const { stdout, error } = await process.tryAsk('btrfs-subvolume-list', [device]);
  if (error !== null) return null;
  return parseRecords(stdout.toString('utf8'), maxSubvolumes).flatMap((record) => {
    const id = numberOf(record, 'btrfssubvolume_id');
    const path = record.get('btrfssubvolume_path');
    return id === null || path === undefined ? [] : [{ id, path }];
  });
}

async function fileSystemsOf(
  process: ApplianceProcess,
  devices: BlockDevices,
): Promise<readonly ApplianceFileSystem[]> {
  const found: ApplianceFileSystem[] = [];
  for (const device of (await devices.names()).all) {
    const content = await devices.content(device);
    if (content.type === '' || containers.has(content.type)) continue;
    const sizeBytes = await devices.sizeBytes(device);
    const subvolumes = content.type === 'btrfs' ? await subvolumesOf(process, device) : [];
    found.push({ device, ...content, sizeBytes, subvolumes });
  }
  return found;
}

async function arrayOf(process: ApplianceProcess, device: string): Promise<ApplianceArray> {
  const { stdout } = await process.tryAsk('md-detail', [device]);
  const detail = parseRecord(stdout.toString('utf8'));
  return {
    device,
    level: detail.get('level') ?? null,
    uuid: detail.get('uuid') ?? null,
    members: numberOf(detail, 'devices'),
  };
}

/** Asks the appliance for file systems, arrays and logical volumes; what a single device does not tell is null. */
export async function inspectLayout(
  process: ApplianceProcess,
  devices: BlockDevices,
  known: Pick<ApplianceLayout, 'disks' | 'luks'>,
): Promise<ApplianceLayout> {
  const names = await devices.names();
  const logicalVolumes: ApplianceLogicalVolume[] = [];
  for (const device of names.logicalVolumes) {
    logicalVolumes.push({ device, sizeBytes: await devices.sizeBytes(device) });
  }
  const arrays: ApplianceArray[] = [];
  for (const device of names.arrays) arrays.push(await arrayOf(process, device));
  return { ...known, fileSystems: await fileSystemsOf(process, devices), logicalVolumes, arrays };
}
