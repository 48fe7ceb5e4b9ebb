import type { DiskImage } from '@ascend/disk';
import { exportVolume, type VolumeAccess, type VolumePlace } from './volumeExport.ts';

/** A volume of a disk, and how it is opened. */
export interface VolumeFile {
  readonly image: DiskImage;
  readonly volume: VolumePlace;
  readonly access: VolumeAccess;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

/** Runs work with a volume as a file of this machine; nothing is left exported. @throws {AppError} DISK_*, and what `work` throws */
export async function withVolumeFile<T>(
  place: VolumeFile,
  work: (volumePath: string) => Promise<T>,
): Promise<T> {
  const exported = await exportVolume(place);
  try {
    return await work(exported.volumePath);
  } finally {
    await exported.close();
  }
}
