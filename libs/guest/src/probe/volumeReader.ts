import type { VolumeFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { runsAsRoot } from '../apply/hostSandbox.ts';
import { needsKernelMount } from '../apply/mountOptions.ts';
import { openExt4 } from '../ext4/ext4Files.ts';
import type { GuestFiles } from '../guestFiles.ts';
import type { DiskLayout } from '../volumes/volumeFacts.ts';
import { openKernelVolume, type KernelVolume } from './kernelVolume.ts';
import type { GuestDisk } from './openDisks.ts';

/** The file system of one volume, open for reading. */
export interface OpenVolume {
  /** May name links without following them: use it inside of `unionFiles`. */
  readonly files: GuestFiles;
  /** It was in use: its journal holds changes that the reader does not see. */
  readonly needsRecovery: boolean;
}

/** Opens file systems of a layout for reading. Disposing ends what that took. */
export interface VolumeReader extends AsyncDisposable {
  readonly executor: 'host' | 'appliance';
  /** Is the volume with this index a file system that can be opened here? */
  canRead(volume: number): boolean;
  /**
   * Opens the volume with this index of the layout; `options` choose a part of it (`subvol=`).
   *
   * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_FILE_SYSTEM_UNSUPPORTED
   */
  open(volume: number, options: readonly string[]): Promise<OpenVolume>;
}

/** What a reader works with besides the layout. */
export interface VolumeReaderParams {
  readonly images: readonly GuestDisk[];
  readonly workDir: string;
  readonly signal: AbortSignal;
}

const ext = /^ext[234]$/;

function unsupported(message: string): AppError {
  return new AppError({ code: 'GUEST_FILE_SYSTEM_UNSUPPORTED', message: `open volume: ${message}` });
}

function canRead(volume: VolumeFacts): boolean {
  if (ext.test(volume.content)) return true;
  return needsKernelMount(volume.content) && volume.requires === 'host' && runsAsRoot();
}

/**
 * Reads ext2/3/4 by this project's own reader, whatever the volume is made of, and xfs and btrfs in one piece through a
 * mount by the kernel, which takes root.
 */
export function volumeReader(layout: DiskLayout, params: VolumeReaderParams): VolumeReader {
  const mounted = new Map<number, Promise<KernelVolume>>();

  const kernelVolume = async (index: number, volume: VolumeFacts): Promise<KernelVolume> => {
    const disk = params.images.find((candidate) => candidate.diskIndex === volume.diskIndex);
    if (disk === undefined || !canRead(volume)) throw unsupported(`no reader for ${volume.content} here`);
    const known = mounted.get(index);
    if (known !== undefined) return await known;
    const opening = openKernelVolume({ ...params, image: disk.image, volume });
    mounted.set(index, opening);
    return await opening;
  };

  return {
    executor: 'host',
    canRead: (index) => {
      const volume = layout.volumes[index];
      return volume !== undefined && canRead(volume) && (layout.sources[index] ?? null) !== null;
    },
    open: async (index, options) => {
      const volume = layout.volumes[index];
      const source = layout.sources[index];
      if (volume === undefined || source === null || source === undefined)
        throw unsupported('its bytes cannot be put together');
      if (needsKernelMount(volume.content)) {
        const files = await (await kernelVolume(index, volume)).files(options);
        return { files, needsRecovery: false };
      }
      if (!ext.test(volume.content)) throw unsupported(`no reader for ${volume.content}`);
      const files = await openExt4(source);
      return { files, needsRecovery: files.superblock.needsRecovery };
    },
    [Symbol.asyncDispose]: async () => {
      const opened = await Promise.allSettled(mounted.values());
      for (const each of opened) {
        if (each.status === 'fulfilled') await each.value[Symbol.asyncDispose]();
      }
    },
  };
}
