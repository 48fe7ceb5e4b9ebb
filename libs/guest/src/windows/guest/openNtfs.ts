import { withVolumeFile, type VolumeFile } from '../../apply/volumeFile.ts';
import { mountNtfs } from '../ntfs/mountNtfs.ts';
import { ntfsVolume, type NtfsVolume } from '../ntfs/ntfsVolume.ts';

/** An NTFS volume, and how it is opened. */
export interface NtfsPlace extends VolumeFile {
  /** Write although the volume was in use: its log is dropped. */
  readonly acceptDirty: boolean;
}

/**
 * Runs work with the files of an NTFS volume. What was written is flushed before this returns; when `work` fails, nothing
 * is left mounted or running and the overlay must be dropped.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_DIRTY, GUEST_EXECUTOR_UNAVAILABLE, GUEST_EDIT_FAILED, DISK_*, OPERATION_CANCELLED
 */
export async function withNtfs<T>(place: NtfsPlace, work: (files: NtfsVolume) => Promise<T>): Promise<T> {
  return await withVolumeFile(place, async (volumePath) => {
    const { workDir, acceptDirty, access, signal } = place;
    const mount = await mountNtfs({ volumePath, workDir, acceptDirty, readOnly: access === 'read', signal });
    try {
      const result = await work(ntfsVolume(mount, signal));
      await mount.unmount();
      return result;
    } finally {
      await mount.kill();
    }
  });
}
