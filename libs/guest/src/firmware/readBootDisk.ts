import type { BootDiskFacts, BootFacts, BootMenuFacts, GuestMountFacts, VolumeFacts } from '@ascend/domain';
import { readText, type GuestFiles } from '../guestFiles.ts';
import type { OpenDisk } from '../volumes/volumeFacts.ts';
import type { PartitionTable } from '../volumes/partitionTable.ts';
import { readTableSpace } from '../volumes/tableSpace.ts';

const maxMenuBytes = 4 * 1024 * 1024;
const menus = ['boot/grub/grub.cfg', 'boot/grub2/grub.cfg'];
/** What may stand in a command of our boot loader's configuration: both come from the guest. */
const safePath = /^\/[\w@./-]{1,200}$/;
const safeUuid = /^[\da-fA-F-]{4,36}$/;

interface Found {
  readonly menu: BootMenuFacts | null;
  readonly menuObstacle: string | null;
}

function none(menuObstacle: string): Found {
  return { menu: null, menuObstacle };
}

/** The folder that a mounted Btrfs subvolume has in GRUB's eyes, which begin at the top of the file system; null = cannot be told. */
function subvolumeFolder(mount: GuestMountFacts): string | null {
  if (mount.fileSystem !== 'btrfs') return '';
  const name = mount.options
    .map((option) => /^subvol=\/?(.+)$/.exec(option)?.[1])
    .find((value) => value !== undefined);
  return name === undefined ? null : `/${name}`;
}

/** What GRUB is, sees and needs of the volume with `/boot`. */
async function findMenu(
  files: GuestFiles,
  boot: BootFacts,
  where: { readonly mount: GuestMountFacts; readonly volume: VolumeFacts },
): Promise<Found> {
  const { mount, volume } = where;
  const path = menus.find((candidate) => boot.configPaths.includes(candidate));
  if (path === undefined) return none('it has no menu of GRUB with kernels in /boot');
  const text = (await readText(files, `/${path}`, maxMenuBytes)) ?? '';
  if (/^\s*blscfg\b/m.test(text))
    return none('its menu is made of boot loader entries by a command (blscfg) that only its own GRUB has');
  const folder = subvolumeFolder(mount);
  if (folder === null) return none('its Btrfs subvolume is not named in fstab, so that GRUB cannot find it');
  const { uuid } = volume;
  const inVolume = `${folder}/${mount.mountPoint === '/boot' ? path.slice('boot/'.length) : path}`;
  if (uuid === null || !safeUuid.test(uuid) || !safePath.test(inVolume) || inVolume.includes('..'))
    return none('the file system with /boot has no UUID or an odd path');
  const [segment] = volume.segments ?? [];
  if (segment === undefined || volume.requires !== 'host')
    return none(`the volume with /boot is no single piece of a disk: ${volume.requiresReason ?? 'unknown'}`);
  const { diskIndex, offsetBytes, sizeBytes } = segment;
  const stacked = volume.name !== undefined;
  const { fileSystem } = mount;
  const menu = { path: inVolume, uuid, fileSystem, stacked, diskIndex, offsetBytes, sizeBytes };
  return { menu, menuObstacle: null };
}

/** What the probe found before. */
export interface BootDiskSearch {
  readonly files: GuestFiles;
  readonly boot: BootFacts;
  readonly mounts: readonly GuestMountFacts[];
  readonly volumes: readonly VolumeFacts[];
  readonly tables: ReadonlyMap<number, PartitionTable>;
  readonly disks: readonly OpenDisk[];
}

/** The disk with `/boot`: how it is divided, what is free on it, and the menu on it. null when it cannot be told. */
export async function readBootDisk(search: BootDiskSearch): Promise<BootDiskFacts | null> {
  const { files, boot, mounts, volumes, tables, disks } = search;
  const mount =
    mounts.find(({ mountPoint, fileSystem }) => mountPoint === '/boot' && fileSystem !== 'vfat') ??
    mounts.find(({ mountPoint }) => mountPoint === '/');
  const volume = mount === undefined ? undefined : volumes[mount.volume];
  const disk = disks.find(({ diskIndex }) => diskIndex === volume?.diskIndex);
  const table = disk === undefined ? undefined : tables.get(disk.diskIndex);
  if (mount === undefined || volume === undefined || disk === undefined || table === undefined) return null;
  const { diskIndex, source } = disk;
  const space = await readTableSpace(source, table);
  const menu = await findMenu(files, boot, { mount, volume });
  return { diskIndex, sizeBytes: source.sizeBytes, ...space, ...menu };
}
