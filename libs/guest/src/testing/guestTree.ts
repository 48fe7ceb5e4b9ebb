import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { encodeCpio, type CpioFile } from '../initramfs/cpio.ts';

/** UUID of the root file system of every tiny guest. */
export const tinyRootUuid = '11111111-2222-3333-4444-555555555555';

/** How a tiny guest shall look; the defaults are a Debian-like guest that lacks the drivers of the target. */
export interface TinyGuestOptions {
  readonly kernels?: readonly string[];
  /** Modules that each kernel ships as files. */
  readonly modules?: readonly string[];
  /** Modules that each initramfs holds. */
  readonly initramfsModules?: readonly string[];
  /** The guest's own `update-initramfs`. `null`: not installed. */
  readonly tool?: string | null;
  readonly packing?: 'gzip' | 'zstd' | 'none';
  readonly fstab?: string;
  readonly interfaces?: string;
  readonly grub?: string | null;
  /** More files, by path relative to the root. */
  readonly files?: Readonly<Record<string, string>>;
  /** Symbolic links, path → target. */
  readonly links?: Readonly<Record<string, string>>;
}

/** Module paths that stand for real drivers; `virtio_blk` depends on `virtio`. */
export const tinyModulePaths: Readonly<Record<string, string>> = {
  ext4: 'kernel/fs/ext4/ext4.ko',
  sd_mod: 'kernel/drivers/scsi/sd_mod.ko',
  vmw_pvscsi: 'kernel/drivers/scsi/vmw_pvscsi.ko',
  virtio: 'kernel/drivers/virtio/virtio.ko',
  virtio_pci: 'kernel/drivers/virtio/virtio_pci.ko',
  virtio_blk: 'kernel/drivers/block/virtio_blk.ko',
  virtio_net: 'kernel/drivers/net/virtio_net.ko',
};

const needsVirtio = new Set(['virtio_pci', 'virtio_blk', 'virtio_net']);

/** A shell script that works as `update-initramfs -u -k VERSION` does: the configured modules and the fsck hook go in. */
export const workingTool = `#!/bin/sh
set -e
version=$3
image=/boot/initrd.img-$version
stage=/var/tmp/stage-$version
mkdir -p $stage/conf $stage/sbin $stage/lib/modules/$version
for name in ext4 sd_mod vmw_pvscsi $(cat /etc/initramfs-tools/modules); do
  case $name in '#'*) continue ;; esac
  path=$(sed -n "s,^\\([^:]*/$name\\.ko\\):.*,\\1,p" /lib/modules/$version/modules.dep)
  [ -n "$path" ] || continue
  mkdir -p $stage/lib/modules/$version/$(dirname $path)
  cp /lib/modules/$version/$path $stage/lib/modules/$version/$path
done
if [ -x /etc/initramfs-tools/hooks/ascend-fsck ]; then cp /sbin/fsck.ext4 $stage/sbin/fsck.ext4; fi
: > $stage/conf/modules
(cd $stage && find . | cpio -o -H newc 2>/dev/null | gzip) > $image.new
mv $image.new $image
rm -rf $stage
echo "update-initramfs: Generating $image"
`;

function moduleBytes(name: string): Buffer {
  return Buffer.from(`tiny module ${name}\n`);
}

function modulesDep(names: readonly string[]): string {
  return names
    .map((name) => {
      const virtio =
        needsVirtio.has(name) && names.includes('virtio') ? ` ${tinyModulePaths['virtio'] ?? ''}` : '';
      return `${tinyModulePaths[name] ?? `kernel/misc/${name}.ko`}:${virtio}\n`;
    })
    .join('');
}

function folder(name: string): CpioFile {
  return { name, mode: 0o040755, data: Buffer.alloc(0) };
}

function file(name: string, data: Buffer): CpioFile {
  return { name, mode: 0o100644, data };
}

/** The members of a tiny initramfs. */
export function tinyInitramfsFiles(version: string, modules: readonly string[]): readonly CpioFile[] {
  return [
    folder('.'),
    folder('sbin'),
    file('sbin/fsck.ext4', Buffer.from('checker')),
    folder('conf'),
    file('conf/modules', Buffer.from('ext4\n')),
    folder('lib'),
    folder('lib/modules'),
    folder(`lib/modules/${version}`),
    ...modules.map((name) =>
      file(`lib/modules/${version}/${tinyModulePaths[name] ?? `${name}.ko`}`, moduleBytes(name)),
    ),
  ];
}

function pack(bytes: Buffer, packing: 'gzip' | 'zstd' | 'none'): Buffer {
  if (packing === 'gzip') return gzipSync(bytes);
  return packing === 'zstd' ? zstdCompressSync(bytes) : bytes;
}

const osRelease = 'PRETTY_NAME="Tiny GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n';
const defaultInterfaces = [
  'auto lo',
  'iface lo inet loopback',
  'auto ens192',
  'iface ens192 inet static',
  '  address 10.0.2.77/24',
  '  gateway 10.0.2.2',
  '',
].join('\n');

const applets = [
  'sh',
  'cat',
  'sed',
  'mkdir',
  'dirname',
  'cp',
  'find',
  'cpio',
  'gzip',
  'mv',
  'rm',
  'echo',
  'sleep',
  'wget',
];

async function put(root: string, path: string, data: string | Buffer, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), data, { mode });
}

async function putKernel(root: string, version: string, options: TinyGuestOptions): Promise<void> {
  const modules = options.modules ?? Object.keys(tinyModulePaths);
  await put(root, `boot/vmlinuz-${version}`, 'kernel');
  for (const name of modules) {
    await put(
      root,
      `lib/modules/${version}/${tinyModulePaths[name] ?? `kernel/misc/${name}.ko`}`,
      moduleBytes(name),
    );
  }
  await put(root, `lib/modules/${version}/modules.dep`, modulesDep(modules));
  await put(root, `lib/modules/${version}/modules.builtin`, 'kernel/drivers/ata/libata.ko\n');
  const held = options.initramfsModules ?? ['ext4', 'sd_mod', 'vmw_pvscsi'];
  const image = pack(encodeCpio(tinyInitramfsFiles(version, held)), options.packing ?? 'gzip');
  await put(root, `boot/initrd.img-${version}`, image);
}

/** Writes the files of a tiny guest below `root`: a busybox user space with everything the edits look at. */
export async function writeGuestTree(root: string, options: TinyGuestOptions): Promise<void> {
  for (const name of ['proc', 'sys', 'dev', 'run', 'tmp', 'var/tmp', 'root', 'bin', 'sbin', 'usr/sbin']) {
    await mkdir(join(root, name), { recursive: true });
  }
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
  await put(root, 'sbin/fsck.ext4', 'checker', 0o755);
  await put(root, 'etc/os-release', osRelease);
  await put(root, 'usr/lib/systemd/systemd', '');
  await put(root, 'etc/hostname', 'pgtest1\n');
  await put(root, 'etc/fstab', options.fstab ?? `UUID=${tinyRootUuid} / ext4 errors=remount-ro 0 1\n`);
  await put(root, 'etc/network/interfaces', options.interfaces ?? defaultInterfaces);
  await put(root, 'etc/initramfs-tools/modules', '# List of modules\n');
  await put(root, 'etc/initramfs-tools/initramfs.conf', 'MODULES=list\n');
  await put(root, 'etc/default/grub', 'GRUB_CMDLINE_LINUX=""\n');
  const grub =
    options.grub === undefined ? `  linux /boot/vmlinuz root=UUID=${tinyRootUuid} ro quiet\n` : options.grub;
  if (grub !== null) await put(root, 'boot/grub/grub.cfg', grub);
  const tool = options.tool === undefined ? workingTool : options.tool;
  if (tool !== null) await put(root, 'usr/sbin/update-initramfs', tool, 0o755);
  for (const version of options.kernels ?? ['6.1.0-1-amd64']) await putKernel(root, version, options);
  for (const [path, text] of Object.entries(options.files ?? {})) await put(root, path, text);
  for (const [path, target] of Object.entries(options.links ?? {})) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await symlink(target, join(root, path));
  }
}
