import type { BootFacts } from '@ascend/domain';
import { listFiles, readText, type GuestFiles } from '../guestFiles.ts';
import { parseFstab } from './fstab.ts';
import { kernelLines, sharedArguments, sharedConsoles } from './kernelArguments.ts';

const maxConfigFileBytes = 4 * 1024 * 1024;
const fixedConfigs = [
  '/boot/grub/grub.cfg',
  '/boot/grub2/grub.cfg',
  '/boot/grub/menu.lst',
  '/boot/grub/grub.conf',
  '/boot/extlinux/extlinux.conf',
  '/boot/syslinux/syslinux.cfg',
  '/extlinux.conf',
  '/syslinux.cfg',
];
// One command line and nothing else: kernel-install of Fedora, RHEL and systemd-boot takes it for new kernels.
const bareConfig = '/etc/kernel/cmdline';
const maxArguments = 200;
const bootMounts = new Set(['/boot', '/usr', '/etc']);

async function readConfigs(files: GuestFiles): Promise<ReadonlyMap<string, string>> {
  const entries = await listFiles(files, '/boot/loader/entries', '.conf');
  const paths = [...fixedConfigs, ...entries.map((name) => `/boot/loader/entries/${name}`)];
  const found = new Map<string, string>();
  for (const path of paths) {
    const text = await readText(files, path, maxConfigFileBytes);
    if (text !== null && kernelLines(text).length > 0) found.set(path, text);
  }
  const bare = ((await readText(files, bareConfig)) ?? '').trim();
  if (bare !== '') found.set(bareConfig, `options ${bare}`);
  return found;
}

/** systemd's version from the name of its private library; null without systemd. */
async function readSystemdVersion(files: GuestFiles): Promise<number | null> {
  const folders = ['/usr/lib/systemd', '/lib/systemd'];
  for (const entry of await files.list('/usr/lib')) {
    if (/^[\w]+-linux-gnu$/.test(entry.name)) folders.push(`/usr/lib/${entry.name}/systemd`);
  }
  for (const folder of folders) {
    for (const name of await listFiles(files, folder, '.so')) {
      const version = /^libsystemd-shared-(\d{2,4})(?:[.-]|$)/.exec(name)?.[1];
      if (version !== undefined) return Number(version);
    }
  }
  return null;
}

/** Does grub-mkconfig read drop-ins? Debian's does, upstream's does not; without the script the folder decides. */
async function readsDropIns(files: GuestFiles): Promise<boolean> {
  for (const path of ['/usr/sbin/grub-mkconfig', '/usr/sbin/grub2-mkconfig']) {
    const text = await readText(files, path);
    if (text !== null) return text.includes('default/grub.d');
  }
  return true;
}

async function usesCloudInit(files: GuestFiles): Promise<boolean> {
  if ((await files.stat('/etc/cloud/cloud-init.disabled')) !== null) return false;
  return (await files.stat('/usr/bin/cloud-init')) !== null;
}

/** Reads how the guest boots: boot loader files, consoles, separate mounts, systemd, cloud-init. */
export async function readBootConfig(files: GuestFiles): Promise<BootFacts> {
  const configs = await readConfigs(files);
  const texts = [...configs.values()];
  const fstab = parseFstab((await readText(files, '/etc/fstab')) ?? '');
  return {
    configPaths: [...configs.keys()].map((path) => path.slice(1)),
    consoles: sharedConsoles(texts),
    kernelArguments: {
      shared: sharedArguments(texts).slice(0, maxArguments),
      some: [...new Set(texts.flatMap(kernelLines).flatMap((line) => line.trim().split(/\s+/)))].slice(
        0,
        maxArguments,
      ),
    },
    grubDropIns: await readsDropIns(files),
    grubDefaults: (await files.stat('/etc/default/grub')) !== null,
    separateMounts: fstab.map((entry) => entry.mountPoint).filter((point) => bootMounts.has(point)),
    systemdVersion: await readSystemdVersion(files),
    cloudInit: await usesCloudInit(files),
  };
}
