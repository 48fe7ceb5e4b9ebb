import type { DeviceNameFacts, LinuxFacts, VolumeFacts } from '@ascend/domain';
import { readText, type GuestFiles } from '../guestFiles.ts';
import { readNetworkFiles } from '../network/networkFiles.ts';
import { readPersistentNames } from '../network/persistentNames.ts';
import { readAgents } from './agents.ts';
import { readBlockedModules } from './blockedModules.ts';
import { readCloudInit } from './cloudInit.ts';
import { parseFstab } from './fstab.ts';
import { parseAssignments } from './osRelease.ts';

// The devices file of LVM (RHEL 9) hides every volume whose disk has another serial number; the others are only stale.
const deviceCaches = [
  '/etc/lvm/devices/system.devices',
  '/etc/lvm/cache/.cache',
  '/etc/blkid.tab',
  '/etc/blkid/blkid.tab',
  '/boot/grub/device.map',
  '/boot/grub2/device.map',
];
const dhcpClients = [
  '/sbin/dhclient',
  '/usr/sbin/dhclient',
  '/sbin/udhcpc',
  '/usr/sbin/udhcpc',
  '/sbin/dhcpcd',
  '/usr/sbin/dhcpcd',
];
const systemdPrograms = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'];
const rcLocalPaths = ['/etc/rc.d/rc.local', '/etc/rc.local', '/etc/init.d/boot.local'];

async function present(files: GuestFiles, paths: readonly string[]): Promise<readonly string[]> {
  const stats = await Promise.all(paths.map(async (path) => (await files.stat(path))?.kind === 'file'));
  return paths.filter((_, index) => stats[index] === true).map((path) => path.slice(1));
}

/** SELinux as `etc/selinux/config` sets it; a policy must be installed for it to mean anything. */
export async function readSelinux(files: GuestFiles): Promise<LinuxFacts['selinux']> {
  const text = await readText(files, '/etc/selinux/config');
  if (text === null) return 'absent';
  const values = parseAssignments(text);
  const type = values.get('SELINUXTYPE') ?? 'targeted';
  if (!/^[\w-]{1,64}$/.test(type) || (await files.stat(`/etc/selinux/${type}`)) === null) return 'absent';
  const mode = (values.get('SELINUX') ?? '').toLowerCase();
  return mode === 'enforcing' || mode === 'permissive' ? mode : 'disabled';
}

interface SwapContext {
  readonly volumes: readonly VolumeFacts[];
  readonly root: VolumeFacts;
  readonly deviceNames: readonly DeviceNameFacts[];
}

async function readSwaps(files: GuestFiles, context: SwapContext): Promise<readonly string[]> {
  const { volumes, root, deviceNames } = context;
  const entries = parseFstab((await readText(files, '/etc/fstab')) ?? '');
  const uuidOf = (device: string): string | null =>
    /^UUID="?([\w-]+)"?$/.exec(device)?.[1] ??
    deviceNames.find((name) => name.device === device)?.uuid ??
    null;
  return entries
    .filter((entry) => entry.fileSystem === 'swap')
    .map((entry) => entry.device)
    .filter((device) => {
      if (device.startsWith('/') && !device.startsWith('/dev/')) return true;
      const uuid = uuidOf(device);
      return uuid !== null && volumes.find((volume) => volume.uuid === uuid)?.diskIndex === root.diskIndex;
    });
}

/** Reads what the edits for a target's needs have to know about a Linux guest. */
export async function readLinuxFacts(files: GuestFiles, context: SwapContext): Promise<LinuxFacts> {
  return {
    init: (await present(files, systemdPrograms)).length > 0 ? 'systemd' : 'sysv',
    agents: await readAgents(files),
    selinux: await readSelinux(files),
    cloudInit: await readCloudInit(files),
    networkFiles: await readNetworkFiles(files),
    persistentNames: await readPersistentNames(files),
    dhcpClient: (await present(files, dhcpClients)).length > 0,
    blockedModules: await readBlockedModules(files),
    deviceCaches: await present(files, deviceCaches),
    systemDiskSwaps: await readSwaps(files, context),
    rcLocal: (await present(files, rcLocalPaths))[0] ?? null,
  };
}
