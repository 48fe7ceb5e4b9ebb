import type { DiskImage } from '@ascend/disk';
import { replayExportedJournal } from './checkVolume.ts';
import { exportVolume, type VolumePlace } from './volumeExport.ts';

/**
 * Replays the journal of one ext file system on the top overlay of a disk. Nothing is left running, on failure neither.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - the journal cannot be replayed
 */
export async function replayJournal(params: {
  readonly image: DiskImage;
  readonly volume: VolumePlace & { readonly content: string };
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const exported = await exportVolume({ ...params, access: 'write' });
  try {
    await replayExportedJournal(exported.volumePath, params.volume.content, params.signal);
  } finally {
    await exported.close();
  }
}
