import type { DeviceNameFacts, VolumeFacts } from '@ascend/domain';
import { listFiles, readText, type GuestFiles } from '../guestFiles.ts';
import { findDeviceNames, linkPartition, parseDeviceName } from './deviceNames.ts';
import { parseFstab, type FstabEntry } from './fstab.ts';

const maxConfigFileBytes = 4 * 1024 * 1024;
const swapTypes = new Set(['swap']);

/** Files whose device names decide about the boot or about mounts. Comments in them are left alone. */
async function candidatePaths(files: GuestFiles, bootConfigs: readonly string[]): Promise<readonly string[]> {
  const grubDefaults = await listFiles(files, '/etc/default/grub.d', '.cfg');
  return [
    '/etc/fstab',
    '/etc/crypttab',
    '/etc/default/grub',
    ...grubDefaults.map((name) => `/etc/default/grub.d/${name}`),
    '/etc/initramfs-tools/conf.d/resume',
    ...bootConfigs.map((path) => `/${path}`),
  ];
}

/** Does the volume hold what fstab says? `auto` fits everything but a container. */
function fits(volume: VolumeFacts, entry: FstabEntry | undefined): boolean {
  if (volume.uuid === null) return false;
  if (entry === undefined || entry.fileSystem === 'auto') return true;
  if (swapTypes.has(entry.fileSystem)) return volume.content === 'swap';
  const family = /^ext[234]$/;
  return (
    volume.content === entry.fileSystem || (family.test(volume.content) && family.test(entry.fileSystem))
  );
}

/** What decides which volume a device name of the guest stands for. */
export interface NameContext {
  readonly volumes: readonly VolumeFacts[];
  readonly root: VolumeFacts;
  readonly fstab: readonly FstabEntry[];
}

/** Nothing inside a disk tells its slot or serial number: a link is believed when the guest has one disk only. */
function resolveLink(device: string, { volumes, fstab }: NameContext): VolumeFacts | null {
  const partition = linkPartition(device);
  const disks = new Set(volumes.map((volume) => volume.diskIndex));
  if (partition === null || disks.size !== 1) return null;
  const candidate = volumes.find((volume) => volume.partition === partition);
  const entry = fstab.find((line) => line.device === device);
  return candidate !== undefined && fits(candidate, entry) ? candidate : null;
}

/**
 * The volume behind a name. The root is known by content; for other names the order of disks is trusted only when
 * nothing contradicts it: the name of the root (if it is such a name) must lead to the real root, and the content
 * must be what fstab says.
 */
export function resolveName(device: string, context: NameContext): VolumeFacts | null {
  const { volumes, root, fstab } = context;
  const rootEntry = fstab.find((entry) => entry.mountPoint === '/');
  if (rootEntry?.device === device) return root;
  const place = parseDeviceName(device);
  if (place === null) return resolveLink(device, context);
  const byOrder = (name: string): VolumeFacts | undefined => {
    const wanted = parseDeviceName(name);
    return volumes.find(
      (volume) =>
        volume.name === undefined &&
        volume.diskIndex === wanted?.disk &&
        volume.partition === wanted.partition,
    );
  };
  const rootName =
    rootEntry !== undefined && parseDeviceName(rootEntry.device) !== null ? rootEntry.device : null;
  const orderHolds = rootName === null || byOrder(rootName) === root;
  if (!orderHolds) {
    // Same disk as the root by name, so the same disk by content, whatever its letter.
    const sameDisk = rootName !== null && parseDeviceName(rootName)?.disk === place.disk;
    const there = volumes.find(
      (volume) =>
        volume.name === undefined &&
        volume.diskIndex === root.diskIndex &&
        volume.partition === place.partition,
    );
    return sameDisk && there !== undefined ? there : null;
  }
  const candidate = byOrder(device);
  const entry = fstab.find((line) => line.device === device);
  return candidate !== undefined && fits(candidate, entry) ? candidate : null;
}

/** Finds kernel device names in the guest's configuration and the UUIDs they stand for. */
export async function readDeviceNames(
  files: GuestFiles,
  params: {
    readonly volumes: readonly VolumeFacts[];
    readonly root: VolumeFacts;
    readonly bootConfigs: readonly string[];
  },
): Promise<readonly DeviceNameFacts[]> {
  const fstab = parseFstab((await readText(files, '/etc/fstab')) ?? '');
  const context: NameContext = { volumes: params.volumes, root: params.root, fstab };
  const found: DeviceNameFacts[] = [];
  for (const path of await candidatePaths(files, params.bootConfigs)) {
    const text = await readText(files, path, maxConfigFileBytes);
    const devices = new Set(findDeviceNames(text ?? '').map((hit) => hit.device));
    for (const device of devices) {
      // A whole disk (the target of a boot loader) has no UUID and is no mount.
      const partition = parseDeviceName(device)?.partition ?? linkPartition(device);
      if (partition === null && !fstab.some((entry) => entry.device === device)) continue;
      found.push({ path: path.slice(1), device, uuid: resolveName(device, context)?.uuid ?? null });
    }
  }
  return found;
}
