import { exportFuse, imageBlockdev, type DiskImage } from '@ascend/disk';
import { runsAsRoot } from './hostSandbox.ts';
import { exportVolume, giveToUnprivileged, type VolumeExport, type VolumePlace } from './volumeExport.ts';

/** A volume of a disk, and how it is opened. */
export interface VolumeFile {
  readonly image: DiskImage;
  readonly volume: VolumePlace;
  /** `write`: into the top overlay. */
  readonly access: 'read' | 'write';
  readonly workDir: string;
  readonly signal: AbortSignal;
}

/** One volume of a disk as a file that can only be read; works on disks without overlay. */
async function exportReadOnly({ image, volume, workDir, signal }: VolumeFile): Promise<VolumeExport> {
  const exported = await exportFuse({
    blockdev: imageBlockdev(image, { readOnly: true }),
    writable: false,
    workDir,
    offsetBytes: volume.offsetBytes,
    sizeBytes: volume.sizeBytes,
    allowOther: runsAsRoot(),
    signal,
  });
  try {
    await giveToUnprivileged(exported.filePath);
  } catch (cause) {
    await exported.close();
    throw cause;
  }
  return { volumePath: exported.filePath, close: () => exported.close() };
}

/** Runs work with a volume as a file of this machine; nothing is left exported. @throws {AppError} DISK_*, and what `work` throws */
export async function withVolumeFile<T>(
  place: VolumeFile,
  work: (volumePath: string) => Promise<T>,
): Promise<T> {
  const exported = await (place.access === 'write' ? exportVolume(place) : exportReadOnly(place));
  try {
    return await work(exported.volumePath);
  } finally {
    await exported.close();
  }
}
