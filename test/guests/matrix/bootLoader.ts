import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { addFiles, type GuestFile } from '../guestTree.ts';
import { runInside } from './insideTree.ts';
import { matrixUuids, rootDevice, type MatrixGuest } from './matrixGuest.ts';
import type { LoaderImages } from './partitions.ts';

// Everything the boot path needs is inside core.img; /boot/grub holds only the configuration.
const grubModules = 'biosdisk part_msdos normal linux search search_fs_uuid echo test ext2 xfs btrfs'.split(
  ' ',
);

/** The folder of kernels as GRUB sees it, and the UUID of the file system it is in. */
function bootPlace(guest: MatrixGuest): { readonly path: string; readonly uuid: string } {
  if (guest.hasSeparateBoot) return { path: '', uuid: matrixUuids.boot };
  return { path: guest.rootFileSystem === 'btrfs' ? '/@/boot' : '/boot', uuid: matrixUuids.root };
}

function specialRank(release: string): number {
  return Number(release.includes('-rt-'));
}

/** Kernel releases in a tree, the one that boots first. */
export async function kernelReleases(treeDir: string): Promise<readonly string[]> {
  const names = await readdir(join(treeDir, 'boot'));
  const releases = names
    .filter((name) => name.startsWith('vmlinuz-'))
    .map((name) => name.slice('vmlinuz-'.length));
  return releases.toSorted(
    (left, right) => specialRank(left) - specialRank(right) || left.localeCompare(right),
  );
}

function menuEntry(guest: MatrixGuest, release: string): string {
  const { path, uuid } = bootPlace(guest);
  const flags = guest.rootFileSystem === 'btrfs' ? ' rootflags=subvol=@' : '';
  return `menuentry 'Debian GNU/Linux, with Linux ${release}' --class debian --class gnu-linux {
	search --no-floppy --fs-uuid --set=root ${uuid}
	linux	${path}/vmlinuz-${release} root=${rootDevice(guest)} ro${flags} console=tty0 console=ttyS0,115200n8 quiet
	initrd	${path}/initrd.img-${release}
}
`;
}

/** The small configuration beside the EFI program: it only points at the real one. */
export function efiConfiguration(guest: MatrixGuest): string {
  const { path, uuid } = bootPlace(guest);
  return `search.fs_uuid ${uuid} root\nset prefix=($root)'${path}/grub'\nconfigfile $prefix/grub.cfg\n`;
}

/** Where the packages put GRUB's EFI program with all its modules, inside a tree. */
export const efiProgramPath = 'usr/lib/grub/x86_64-efi/monolithic/grubx64.efi';

/** Writes GRUB's configuration and, for BIOS, its core image into the tree. */
export async function installBootLoader(
  guest: MatrixGuest,
  treeDir: string,
  stagingDir: string,
): Promise<LoaderImages | null> {
  const releases = await kernelReleases(treeDir);
  const entries = releases.map((release) => menuEntry(guest, release));
  const text = `set timeout=0\nset default=0\n${entries.join('')}`;
  const files: GuestFile[] = [{ path: 'boot/grub/grub.cfg', text }];
  if (guest.firmware === 'uefi') files.push({ path: 'boot/efi/.keep', text: '' });
  await addFiles(treeDir, stagingDir, files);
  if (guest.firmware === 'uefi') return null;
  const prefix = `(hd0,msdos1)${bootPlace(guest).path}/grub`;
  const output = '/boot/grub/i386-pc/core.img';
  const command = ['/usr/bin/grub-mkimage', '-O', 'i386-pc', '-p', prefix, '-o', output, ...grubModules];
  await runInside({ treeDir, command });
  return { bootPath: join(treeDir, 'boot/grub/i386-pc/boot.img'), corePath: join(treeDir, output) };
}
