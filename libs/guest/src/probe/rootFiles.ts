import type { DiskImage } from '@ascend/disk';
import type { GuestFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { sliceSource } from '../byteSource.ts';
import { openExt4, type Ext4Files } from '../ext4/ext4Files.ts';
import { openDisks } from './openDisks.ts';

/** The root file system of a guest, open for reading. Disposing ends its block server. */
export interface RootFiles extends AsyncDisposable {
  readonly files: Ext4Files;
}

/**
 * Opens the root file system of a disk for reading: a block server of its own, this project's reader, no mount.
 *
 * @throws {AppError} GUEST_UNRECOGNISED - the facts name no root
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_FILE_SYSTEM_UNSUPPORTED, DISK_*
 */
export async function openRootFiles(params: {
  /** The disk that holds the root. */
  readonly image: DiskImage;
  readonly guest: GuestFacts;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<RootFiles> {
  const { image, guest, workDir, signal } = params;
  if (guest.root === null) {
    throw new AppError({ code: 'GUEST_UNRECOGNISED', message: 'open guest: no root file system is known' });
  }
  const opened = await openDisks([{ diskIndex: guest.root.diskIndex, image }], { workDir, signal });
  try {
    const disk = opened.disks[0];
    if (disk === undefined)
      throw new AppError({ code: 'INTERNAL_BUG', message: 'open guest: no disk was opened' });
    const files = await openExt4(sliceSource(disk.source, guest.root.offsetBytes, guest.root.sizeBytes));
    return { files, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  } catch (cause) {
    await opened[Symbol.asyncDispose]();
    throw cause;
  }
}
