import type { VolumeFacts } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { openExt4, type Ext4Files } from '../ext4/ext4Files.ts';
import { readText } from '../guestFiles.ts';
import { parseFstab } from '../linux/fstab.ts';
import { readOsRelease, type OsRelease } from '../linux/osRelease.ts';
import { volumeSource, type OpenDisk } from '../volumes/volumeFacts.ts';

/** The root file system of a guest. */
export interface FoundRoot {
  readonly volume: VolumeFacts;
  readonly files: Ext4Files;
  readonly os: OsRelease;
  /** The guest's own fstab says that this volume is `/`: decides between several systems on the disks. */
  readonly claimsRoot: boolean;
}

/** Search result: the root, or none; remarks say what could not be looked into. */
export interface RootSearch {
  readonly root: FoundRoot | null;
  readonly remarks: readonly string[];
}

const readable = /^ext[234]$/;
const containers: Readonly<Record<string, string>> = {
  lvm2: 'LVM',
  luks: 'LUKS encryption',
  bitlocker: 'BitLocker encryption',
  mdraid: 'software RAID',
  xfs: 'XFS',
  btrfs: 'Btrfs',
  ntfs: 'NTFS',
};

/** The message of an error about the contents of a guest. @throws the error itself when it is about anything else */
export function guestProblem(cause: unknown): string {
  if (!isAppError(cause) || !cause.code.startsWith('GUEST_')) throw cause;
  return cause.message;
}

/** How a volume is named in remarks and messages. */
export function volumeLabel(volume: VolumeFacts): string {
  const part = volume.partition === null ? '' : ` partition ${volume.partition}`;
  return `disk ${volume.diskIndex}${part}`;
}

function claimsRoot(fstab: string, volume: VolumeFacts): boolean {
  const device = parseFstab(fstab).find((entry) => entry.mountPoint === '/')?.device;
  return device === `UUID=${volume.uuid ?? ''}` || device === `LABEL=${volume.label ?? ''}`;
}

async function openRoot(disks: readonly OpenDisk[], volume: VolumeFacts): Promise<FoundRoot | null> {
  const source = volumeSource(disks, volume);
  if (source === null) return null;
  const files = await openExt4(source);
  const os = await readOsRelease(files);
  const fstab = await readText(files, '/etc/fstab');
  if (os === null || fstab === null) return null;
  return { volume, files, os, claimsRoot: claimsRoot(fstab, volume) };
}

/** Finds the root file system by its contents (os-release and fstab), never by the order of disks. */
export async function findRoot(
  disks: readonly OpenDisk[],
  volumes: readonly VolumeFacts[],
): Promise<RootSearch> {
  const remarks: string[] = [];
  const roots: FoundRoot[] = [];
  for (const volume of volumes) {
    const container = containers[volume.content];
    if (container !== undefined) remarks.push(`${volumeLabel(volume)}: ${container} cannot be prepared yet`);
    if (!readable.test(volume.content)) continue;
    try {
      const root = await openRoot(disks, volume);
      if (root !== null) roots.push(root);
    } catch (cause) {
      // One damaged volume must not hide the others.
      remarks.push(`${volumeLabel(volume)}: ${guestProblem(cause)}`);
    }
  }
  if (roots.length > 1) {
    const where = roots.map((root) => volumeLabel(root.volume)).join(', ');
    remarks.push(`${roots.length} operating systems were found (${where})`);
  }
  const root = roots.find((candidate) => candidate.claimsRoot) ?? roots[0] ?? null;
  return { root, remarks };
}
