import type { BootFacts } from '@ascend/domain';
import { listFiles, readText, type GuestFiles } from '../guestFiles.ts';
import { parseFstab } from './fstab.ts';
import { kernelLines, sharedConsoles } from './kernelArguments.ts';

const maxConfigFileBytes = 4 * 1024 * 1024;
const fixedConfigs = [
  '/boot/grub/grub.cfg',
  '/boot/grub2/grub.cfg',
  '/boot/extlinux/extlinux.conf',
  '/boot/syslinux/syslinux.cfg',
  '/extlinux.conf',
  '/syslinux.cfg',
];
const bootMounts = new Set(['/boot', '/usr', '/etc']);

async function readConfigs(files: GuestFiles): Promise<ReadonlyMap<string, string>> {
  const entries = await listFiles(files, '/boot/loader/entries', '.conf');
  const paths = [...fixedConfigs, ...entries.map((name) => `/boot/loader/entries/${name}`)];
  const found = new Map<string, string>();
  for (const path of paths) {
    const text = await readText(files, path, maxConfigFileBytes);
    if (text !== null && kernelLines(text).length > 0) found.set(path, text);
  }
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

async function usesCloudInit(files: GuestFiles): Promise<boolean> {
  if ((await files.stat('/etc/cloud/cloud-init.disabled')) !== null) return false;
  return (await files.stat('/usr/bin/cloud-init')) !== null;
}

/** Reads how the guest boots: boot loader files, consoles, separate mounts, systemd, cloud-init. */
export async function readBootConfig(files: GuestFiles): Promise<BootFacts> {
  const configs = await readConfigs(files);
  const fstab = parseFstab((await readText(files, '/etc/fstab')) ?? '');
  return {
    configPaths: [...configs.keys()].map((path) => path.slice(1)),
    consoles: sharedConsoles([...configs.values()]),
    grubDefaults: (await files.stat('/etc/default/grub')) !== null,
    separateMounts: fstab.map((entry) => entry.mountPoint).filter((point) => bootMounts.has(point)),
    systemdVersion: await readSystemdVersion(files),
    cloudInit: await usesCloudInit(files),
  };
}
