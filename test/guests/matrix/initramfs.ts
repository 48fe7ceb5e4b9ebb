import { join } from 'node:path';
import { addFiles, runAsGuestRoot } from '../guestTree.ts';
import { kernelReleases } from './bootLoader.ts';
import { runInside } from './insideTree.ts';
import { initramfsModules } from './matrixFiles.ts';
import type { MatrixGuest } from './matrixGuest.ts';

/** Drivers of disks and cards on any hardware of the matrix: an initramfs may hold the source's own ones only. */
const hardwareDrivers =
  'virtio_blk virtio_scsi virtio_net nvme ahci ata_piix vmw_pvscsi mptspi mptsas hv_storvsc hv_netvsc xen-blkfront xen-netfront ena vmxnet3 e1000e'.split(
    ' ',
  );

const updateSwitch = 'etc/initramfs-tools/update-initramfs.conf';
const fileSystemHint = 'etc/initramfs-tools/conf.d/build-fstype';

/** Keeps packages from making an initramfs each time one of them is installed; `makeInitramfs` undoes it. */
export async function holdInitramfs(treeDir: string, stagingDir: string): Promise<void> {
  await addFiles(treeDir, stagingDir, [{ path: updateSwitch, text: 'update_initramfs=no\n' }]);
}

async function assertSourceOnly(guest: MatrixGuest, treeDir: string, release: string): Promise<void> {
  const lister = guest.initramfsTool === 'dracut' ? '/usr/bin/lsinitrd' : '/usr/bin/lsinitramfs';
  const listing = await runInside({ treeDir, command: [lister, `/boot/initrd.img-${release}`] });
  const found = hardwareDrivers.filter((name) => listing.includes(`/${name}.ko`));
  const wanted = hardwareDrivers.filter((name) => initramfsModules(guest).includes(name));
  if (found.join() === wanted.join()) return;
  throw new Error(
    `initramfs of ${guest.name}, ${release}: ${found.join(', ')} instead of ${wanted.join(', ')}`,
  );
}

/** Makes the initramfs of every kernel by the guest's own tool and proves that it knows the source's hardware alone. */
export async function makeInitramfs(guest: MatrixGuest, treeDir: string, stagingDir: string): Promise<void> {
  const releases = await kernelReleases(treeDir);
  if (guest.initramfsTool === 'dracut') {
    for (const release of releases) {
      const path = `/boot/initrd.img-${release}`;
      await runInside({ treeDir, command: ['/usr/bin/dracut', '--quiet', '--force', path, release] });
    }
  } else {
    // A build has no root device to look at: FSTYPE puts the fsck programs in, as on an installed machine.
    await addFiles(treeDir, stagingDir, [
      { path: updateSwitch, text: 'update_initramfs=yes\nbackup_initramfs=no\n' },
      { path: fileSystemHint, text: `FSTYPE=${guest.rootFileSystem}\n` },
    ]);
    await runInside({ treeDir, command: ['/usr/sbin/update-initramfs', '-u', '-k', 'all'] });
    await runAsGuestRoot('rm', [join(treeDir, fileSystemHint)]);
  }
  for (const release of releases) await assertSourceOnly(guest, treeDir, release);
}
