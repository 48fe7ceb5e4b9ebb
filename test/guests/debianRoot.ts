import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { cachedFolder } from './cacheFolder.ts';
import { writeGuestFiles } from './guestTree.ts';
import { sampleFiles } from './sampleFiles.ts';

const packages = [
  'linux-image-amd64',
  'systemd-sysv',
  'udev',
  'kmod',
  'initramfs-tools',
  'zstd',
  'e2fsprogs',
  'ifupdown',
  'iproute2',
  'iputils-ping',
  'grub-pc-bin',
  'grub2-common',
];

// Everything the boot path needs is inside core.img; /boot/grub holds only the configuration.
const grubModules = [
  'biosdisk',
  'part_msdos',
  'ext2',
  'normal',
  'linux',
  'search',
  'search_fs_uuid',
  'echo',
  'test',
];

const leftOut = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** Where the packages come from. */
export interface DebianRootParams {
  readonly cacheDir: string;
  /** Package mirror; default: the one that mmdebstrap takes for a Debian suite by itself. */
  readonly mirror?: string;
  readonly onLine?: (line: string) => void;
}

const fstypeFile = 'etc/initramfs-tools/conf.d/build-fstype';

function hooks(filesDir: string): string[] {
  const grub = `chroot "$1" grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /boot/grub/i386-pc/core.img ${grubModules.join(' ')}`;
  return [
    // Before the kernel is unpacked: its first initramfs is already the small one.
    '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d" && echo MODULES=list > "$1/etc/initramfs-tools/conf.d/modules-list"',
    `--customize-hook=sync-in ${filesDir} /`,
    // A build chroot has no root device to look at: FSTYPE puts the fsck programs in, as on an installed machine.
    `--customize-hook=echo FSTYPE=ext4 > "$1/${fstypeFile}"`,
    '--customize-hook=chroot "$1" update-initramfs -u -k all',
    `--customize-hook=rm "$1/${fstypeFile}"`,
    '--customize-hook=mkdir -p "$1/boot/grub/i386-pc" && cp "$1/usr/lib/grub/i386-pc/boot.img" "$1/boot/grub/i386-pc/"',
    `--customize-hook=${grub}`,
  ];
}

async function buildRoot(params: DebianRootParams, partialDir: string): Promise<void> {
  const filesDir = join(partialDir, 'files');
  await mkdir(filesDir);
  await writeGuestFiles(filesDir, sampleFiles());
  await runProcess({
    program: 'mmdebstrap',
    args: [
      '--variant=minbase',
      '--mode=auto',
      '--format=tar',
      `--include=${packages.join(',')}`,
      '--aptopt=Apt::Install-Recommends "false"',
      ...leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      ...hooks(filesDir),
      'bookworm',
      join(partialDir, 'root.tar'),
      ...(params.mirror === undefined ? [] : [params.mirror]),
    ],
    ...(params.onLine === undefined ? {} : { onStderrLine: params.onLine }),
  });
  await rm(filesDir, { recursive: true });
}

/**
 * The root file system of a Debian 12 server as `root.tar`, made from packages (about 70 s, 600 MB; cached).
 * Holds kernel, initramfs with the source platform's drivers only, boot loader images and the sample's own files.
 */
export async function debianRoot(params: DebianRootParams): Promise<string> {
  const folder = await cachedFolder({
    cacheDir: params.cacheDir,
    name: 'debian-root',
    sources: ['debianRoot.ts', 'sampleFiles.ts', 'guestTree.ts'].map((name) =>
      join(import.meta.dirname, name),
    ),
    build: async (partialDir) => buildRoot(params, partialDir),
  });
  return join(folder, 'root.tar');
}
