import type { GuestFacts, GuestMountFacts, VolumeFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { GuestFiles } from '../guestFiles.ts';
import { unionFiles, type MountedFiles } from '../unionFiles.ts';
import { readLayout, type DiskLayout } from '../volumes/volumeFacts.ts';
import { volumeLabel } from './findRoot.ts';
import { openDisks, type GuestDisk } from './openDisks.ts';
import { volumeReader } from './volumeReader.ts';

/** The tree of a guest, open for reading. Disposing ends its block servers. */
export interface RootFiles extends AsyncDisposable {
  readonly files: GuestFiles;
  /** Names of the volumes that were not closed cleanly. */
  readonly dirty: readonly string[];
}

/** The volumes of the tree. Facts of older versions name the root's place alone. */
function mountsOf(guest: GuestFacts, layout: DiskLayout): readonly GuestMountFacts[] {
  const { root } = guest;
  if (root === null) {
    throw new AppError({ code: 'GUEST_UNRECOGNISED', message: 'open guest: no root file system is known' });
  }
  if (guest.mounts !== undefined) return guest.mounts;
  const volume = layout.volumes.findIndex(
    (each) => each.diskIndex === root.diskIndex && each.offsetBytes === root.offsetBytes,
  );
  return [{ mountPoint: '/', volume, fileSystem: root.fileSystem, options: [] }];
}

/** One volume at one place; a partition that was added since moves it in the list. */
function isSame(found: VolumeFacts, known: VolumeFacts): boolean {
  return (
    found.diskIndex === known.diskIndex &&
    found.offsetBytes === known.offsetBytes &&
    found.name === known.name &&
    found.uuid === known.uuid &&
    found.content === known.content
  );
}

/** Where a volume of the facts is in the layout of now: the file system must still be the one that was found. */
function indexOf(layout: DiskLayout, known: VolumeFacts | undefined, index: number): number {
  const now = known === undefined ? index : layout.volumes.findIndex((found) => isSame(found, known));
  if (layout.volumes[now] !== undefined) return now;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_CORRUPT',
    message: `open guest: ${known === undefined ? 'the root file system' : volumeLabel(known)} is not on the disks any more`,
  });
}

/** vfat holds nothing that is read as part of the tree. */
function isRead(mount: GuestMountFacts): boolean {
  return mount.fileSystem !== 'vfat';
}

/**
 * Opens the tree of a guest for reading: block servers of its own, this project's readers, no mount of ext file systems.
 *
 * @throws {AppError} GUEST_UNRECOGNISED - the facts name no root
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_FILE_SYSTEM_UNSUPPORTED, DISK_*
 */
export async function openRootFiles(params: {
  /** All disks of the guest: the metadata of LVM and RAID lies on any of them. */
  readonly images: readonly GuestDisk[];
  readonly guest: GuestFacts;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<RootFiles> {
  const { images, guest, workDir, signal } = params;
  const stack = new AsyncDisposableStack();
  try {
    const opened = stack.use(await openDisks(images, { workDir, signal }));
    const layout = await readLayout(opened.disks);
    const reader = stack.use(volumeReader(layout, { images, workDir, signal }));
    const mounted: MountedFiles[] = [];
    const dirty: string[] = [];
    for (const mount of mountsOf(guest, layout).filter(isRead)) {
      const index = indexOf(layout, guest.volumes?.[mount.volume], mount.volume);
      const found = layout.volumes[index];
      const { files, needsRecovery } = await reader.open(index, mount.options);
      mounted.push({ mountPoint: mount.mountPoint, files });
      if (needsRecovery && found !== undefined) dirty.push(volumeLabel(found));
    }
    return { files: unionFiles(mounted), dirty, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (cause) {
    await stack.disposeAsync();
    throw cause;
  }
}
