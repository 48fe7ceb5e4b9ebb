import type { GuestFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { DiskPlace } from './volumeExport.ts';

/** A file system of the guest's tree that this machine can mount: one piece of one disk. */
export interface HostVolume extends DiskPlace {
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** `subvol=` and `subvolid=` alone. */
  readonly options: readonly string[];
  readonly uuid: string | null;
}

/**
 * The volumes that the host executor mounts, the root first, parents before children. The EFI partition is none of them.
 *
 * @throws {AppError} GUEST_UNRECOGNISED - no root is known; GUEST_LAYOUT_UNSUPPORTED - a volume needs the appliance
 */
export function hostVolumes(guest: GuestFacts): readonly HostVolume[] {
  const { root, mounts, volumes = [] } = guest;
  if (root === null) {
    throw new AppError({ code: 'GUEST_UNRECOGNISED', message: 'edit guest: no root file system is known' });
  }
  if (mounts === undefined) return [{ ...root, mountPoint: '/', options: [], uuid: null }];
  return mounts
    .filter((mount) => mount.fileSystem !== 'vfat')
    .map(({ mountPoint, fileSystem, options, volume: index }) => {
      const volume = volumes[index];
      const segment = volume?.segments?.[0];
      if (volume === undefined || segment === undefined || volume.requires !== 'host') {
        throw new AppError({
          code: 'GUEST_LAYOUT_UNSUPPORTED',
          message: `mount ${mountPoint}: ${volume?.requiresReason ?? 'its volume is not known'}`,
        });
      }
      const { diskIndex, offsetBytes, sizeBytes } = segment;
      const { uuid } = volume;
      return { diskIndex, offsetBytes, sizeBytes, mountPoint, fileSystem, options, uuid };
    });
}
