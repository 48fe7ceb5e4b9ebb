import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOverlay, imageBlockdev, openChain, type DiskImage } from '@ascend/disk';
import { findMachine, type MachineBus, type MachineDisk } from '@ascend/guest';
import type { PointName } from '../guests/backupChain.ts';
import { imagePath, type BuiltBackup } from '../guests/builtBackup.ts';

/** Where built guests are kept between runs. */
export const guestCacheDir = join(import.meta.dirname, '../../.ascend/cache');

/** The disks of a backup at one point, as images without overlays. */
export async function backupImages(backup: BuiltBackup, point: PointName): Promise<readonly DiskImage[]> {
  return Promise.all(
    Array.from({ length: backup.diskCount }, async (_, diskIndex): Promise<DiskImage> => {
      const path = imagePath(backup, diskIndex, point);
      const chain = await openChain({ rootPath: backup.repositoryPath, path, format: 'qcow2' });
      return { chain, overlays: [] };
    }),
  );
}

/** The same disks for a machine, each under a throw-away overlay in `folder`. */
export async function machineDisks(
  images: readonly DiskImage[],
  bus: MachineBus,
  folder: string,
): Promise<readonly MachineDisk[]> {
  const disks: MachineDisk[] = [];
  for (const [index, image] of images.entries()) {
    const path = join(folder, `overlay-${index}.qcow2`);
    await createOverlay({ image, path });
    const blockdev = imageBlockdev({ chain: image.chain, overlays: [path] }, { readOnly: false });
    disks.push({ blockdev, bus, bootIndex: index === 0 ? 0 : null, serial: `disk-${index}` });
  }
  return disks;
}

/** Runs `work` in a folder of its own and ends the machine in `<folder>/machine` afterwards, whatever happened. */
export async function withGuestFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-guest-'));
  try {
    await work(folder);
  } finally {
    await (await findMachine(join(folder, 'machine')))?.kill();
    await rm(folder, { recursive: true, force: true });
  }
}
