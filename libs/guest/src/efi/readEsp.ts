import type { EspFacts, GuestMountFacts, VolumeFacts } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { withVolumeFile } from '../apply/volumeFile.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import { espTypes } from '../volumes/partitionTypes.ts';
import type { DiskLayout } from '../volumes/volumeFacts.ts';
import { listEfiPrograms } from './copyEfiFile.ts';

const espMountPoints = ['/boot/efi', '/efi', '/boot'];

function isEsp({ tables }: DiskLayout, { diskIndex, partition }: VolumeFacts): boolean {
  const found = tables.get(diskIndex)?.partitions.find(({ number }) => number === partition);
  return found !== undefined && espTypes.has(found.type);
}

/** The partition that the guest mounts as its own; else the one on the root's disk, else the first of all. */
function findEsp(
  layout: DiskLayout,
  mounts: readonly GuestMountFacts[],
  rootDisk: number,
): VolumeFacts | undefined {
  const mounted = espMountPoints
    .map((point) =>
      mounts.find(({ mountPoint, fileSystem }) => mountPoint === point && fileSystem === 'vfat'),
    )
    .find((mount) => mount !== undefined);
  const own = mounted === undefined ? undefined : layout.volumes[mounted.volume];
  const all = layout.volumes.filter((volume) => isEsp(layout, volume));
  return own ?? all.find(({ diskIndex }) => diskIndex === rootDisk) ?? all[0];
}

/**
 * The boot programs of a Linux guest that can boot by UEFI: its EFI system partition is read by mtools in the sandbox. null when there is
 * none; a remark when it cannot be looked into.
 *
 * @throws {AppError} OPERATION_CANCELLED, DISK_* - a disk cannot be opened
 */
export async function readEsp(
  found: {
    readonly layout: DiskLayout;
    readonly mounts: readonly GuestMountFacts[];
    readonly rootDisk: number;
  },
  params: {
    readonly images: readonly GuestDisk[];
    readonly workDir: string;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly esp: EspFacts | null; readonly remarks: readonly string[] }> {
  const volume = findEsp(found.layout, found.mounts, found.rootDisk);
  const image = params.images.find(({ diskIndex }) => diskIndex === volume?.diskIndex)?.image;
  if (volume === undefined || image === undefined) return { esp: null, remarks: [] };
  const { diskIndex, offsetBytes, sizeBytes } = volume;
  const { workDir, signal } = params;
  try {
    const programs = await withVolumeFile({ image, volume, access: 'read', workDir, signal }, (path) =>
      listEfiPrograms(path, signal),
    );
    return { esp: { diskIndex, offsetBytes, sizeBytes, programs }, remarks: [] };
  } catch (cause) {
    const known = isAppError(cause) && /^(PROCESS_|GUEST_EXECUTOR|DISK_SERVER)/.test(cause.code);
    if (!known || signal.aborted) throw cause;
    return { esp: null, remarks: [`the EFI system partition cannot be looked into: ${cause.message}`] };
  }
}
