import { lockedVolumes, type GuestMountFacts, type VolumeFacts } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { needsKernelMount } from '../apply/mountOptions.ts';
import { readText, type GuestFiles } from '../guestFiles.ts';
import { withCryptNames } from '../linux/crypttab.ts';
import { parseFstab, type FstabEntry } from '../linux/fstab.ts';
import { resolveMounts, volumeOfDevice } from '../linux/mountedVolume.ts';
import { readOsRelease, type OsRelease } from '../linux/osRelease.ts';
import { unionFiles, type MountedFiles } from '../unionFiles.ts';
import type { DiskLayout } from '../volumes/volumeFacts.ts';
import type { OpenVolume, VolumeReader } from './volumeReader.ts';

/** The root file system of a guest, with what its fstab mounts into it. */
export interface FoundRoot {
  readonly volume: VolumeFacts;
  /** The whole tree. */
  readonly files: GuestFiles;
  readonly os: OsRelease;
  readonly mounts: readonly GuestMountFacts[];
  /** Volumes of `mounts` whose journals hold changes. */
  readonly dirty: readonly VolumeFacts[];
  /** The guest's own fstab says that this volume is `/`: decides between several systems on the disks. */
  readonly claimsRoot: boolean;
  /** Mounts that could not be opened. */
  readonly remarks: readonly string[];
}

/** Search result: the root, or none; remarks say what could not be looked into. */
export interface RootSearch {
  readonly root: FoundRoot | null;
  readonly remarks: readonly string[];
}

const containers: Readonly<Record<string, string>> = {
  lvm2: 'LVM',
  mdraid: 'software RAID',
  xfs: 'XFS',
  btrfs: 'Btrfs',
};
/** Read by other means, as far as anything needs it. */
const notOpened = new Set(['vfat']);

/** The message of an error about the contents of a guest. @throws the error itself when it is about anything else */
export function guestProblem(cause: unknown): string {
  if (!isAppError(cause) || !cause.code.startsWith('GUEST_')) throw cause;
  return cause.message;
}

/** How a volume is named in remarks and messages. */
export function volumeLabel(volume: VolumeFacts): string {
  if (volume.name !== undefined) return volume.name;
  const part = volume.partition === null ? '' : ` partition ${volume.partition}`;
  return `disk ${volume.diskIndex}${part}`;
}

function isArray(volume: VolumeFacts): boolean {
  return /^md(?:\d|\/)/.test(volume.name ?? '');
}

/** Is the container itself explained by a volume that was found in it? */
function isTakenApart(container: VolumeFacts, volumes: readonly VolumeFacts[]): boolean {
  const end = container.offsetBytes + container.sizeBytes;
  const inside = (each: { readonly diskIndex: number; readonly offsetBytes: number }): boolean =>
    each.diskIndex === container.diskIndex &&
    each.offsetBytes >= container.offsetBytes &&
    each.offsetBytes < end;
  return volumes.some((volume) => {
    // A member that is stale or spare is in no segment of its array.
    if (container.content === 'mdraid') return isArray(volume);
    const unknownPlace = volume.segments?.length === 0 && volume.diskIndex === container.diskIndex;
    return volume.name !== undefined && (unknownPlace || (volume.segments ?? []).some(inside));
  });
}

function lockedRemark(volume: VolumeFacts, volumes: readonly VolumeFacts[]): string | null {
  const uuid = (volume.uuid ?? '').toLowerCase();
  const isLocked = uuid === '' || lockedVolumes({ volumes }).includes(uuid);
  const name = uuid === '' ? 'without a UUID' : uuid;
  return isLocked ? `${volumeLabel(volume)}: LUKS encryption (${name}): no key has opened it` : null;
}

/** Why a volume that is not read stays closed; null = nothing worth saying. */
function closedRemark(
  volume: VolumeFacts,
  { layout: { volumes }, reader: { executor } }: Search,
): string | null {
  if (volume.content === 'luks') return lockedRemark(volume, volumes);
  if (executor === 'appliance') return null;
  if (volume.requires === 'appliance' && volume.segments?.length === 0) {
    return `${volumeLabel(volume)}: ${volume.requiresReason ?? ''}, which needs the appliance`;
  }
  const container = containers[volume.content];
  const apart = volume.content === 'lvm2' || volume.content === 'mdraid';
  if (container === undefined || (apart && isTakenApart(volume, volumes))) return null;
  // xfs and btrfs get here where the kernel must not mount for us.
  const reason = needsKernelMount(volume.content) ? (volume.requiresReason ?? null) : null;
  return reason === null
    ? `${volumeLabel(volume)}: ${container} cannot be prepared yet`
    : `${volumeLabel(volume)}: ${container} needs the appliance: ${reason}`;
}

interface Search {
  readonly layout: DiskLayout;
  readonly reader: VolumeReader;
}

interface OpenTree {
  readonly mounts: readonly GuestMountFacts[];
  readonly mounted: readonly MountedFiles[];
  readonly dirty: readonly VolumeFacts[];
  readonly remarks: readonly string[];
}

/** Opens what the root mounts. A mount that cannot be opened is left out, with a remark. */
async function openTree(
  { layout, reader }: Search,
  own: OpenVolume,
  mounts: readonly GuestMountFacts[],
): Promise<OpenTree> {
  const opened: GuestMountFacts[] = [];
  const mounted: MountedFiles[] = [];
  const dirty: VolumeFacts[] = [];
  const remarks: string[] = [];
  for (const mount of mounts) {
    const volume = layout.volumes[mount.volume];
    if (volume === undefined) continue;
    try {
      if (notOpened.has(mount.fileSystem) && !['/boot', '/usr'].includes(mount.mountPoint)) {
        opened.push(mount);
        continue;
      }
      const open = mount.mountPoint === '/' ? own : await reader.open(mount.volume, mount.options);
      if (open.needsRecovery && !dirty.includes(volume)) dirty.push(volume);
      mounted.push({ mountPoint: mount.mountPoint, files: open.files });
      opened.push(mount);
    } catch (cause) {
      remarks.push(`${mount.mountPoint} on ${volumeLabel(volume)}: ${guestProblem(cause)}`);
    }
  }
  return { mounts: opened, mounted, dirty, remarks };
}

/** One file system as a tree of its own. */
function alone(files: GuestFiles): GuestFiles {
  return unionFiles([{ mountPoint: '/', files }]);
}

const maxSubvolumes = 64;

async function hasFstab(files: GuestFiles, folder: string): Promise<boolean> {
  return (await files.stat(`${folder}/etc/fstab`))?.kind === 'file';
}

/**
 * Options that mount the root of a volume: none, or the subvolume of a btrfs that holds an fstab (`@`, `root` …) where
 * the default one does not. null = there is no fstab on the volume.
 */
async function rootOptions(
  reader: VolumeReader,
  index: number,
  volume: VolumeFacts,
): Promise<readonly string[] | null> {
  if (await hasFstab(alone((await reader.open(index, [])).files), '')) return [];
  if (volume.content !== 'btrfs') return null;
  // 5: the top of every btrfs, below which all subvolumes lie.
  const top = alone((await reader.open(index, ['subvolid=5'])).files);
  const names = (await top.list('/'))
    .filter(({ name, kind }) => kind === 'directory' && /^[\w@.-]+$/.test(name))
    .map(({ name }) => name)
    .slice(0, maxSubvolumes);
  for (const name of names) if (await hasFstab(top, `/${name}`)) return [`subvol=${name}`];
  return null;
}

async function openRoot(search: Search, index: number): Promise<FoundRoot | null> {
  const { layout, reader } = search;
  const volume = layout.volumes[index];
  if (volume === undefined) return null;
  const options = await rootOptions(reader, index, volume);
  if (options === null) return null;
  const own = await reader.open(index, options);
  const text = await readText(alone(own.files), '/etc/fstab');
  if (text === null) return null;
  const fstab: readonly FstabEntry[] = parseFstab(text);
  const crypttab = await readText(alone(own.files), '/etc/crypttab');
  const volumes = withCryptNames(layout.volumes, crypttab ?? '');
  const context = { volumes, root: volumes[index] ?? volume, fstab };
  const { mounted, ...tree } = await openTree(search, own, resolveMounts(context, options));
  const files = unionFiles(mounted);
  const os = await readOsRelease(files);
  if (os === null) return null;
  const device = fstab.findLast((entry) => entry.mountPoint === '/')?.device;
  // A plain device name is believed to be the root whatever its letter, so it claims nothing.
  const claims = device !== undefined && !/^\/dev\/(?:[shv]d|xvd|nvme)/.test(device);
  const claimsRoot = claims && volumeOfDevice(device, context) === context.root;
  return { volume, files, os, claimsRoot, ...tree };
}

/** Finds the root file system by its contents (os-release and fstab), never by the order of disks. */
export async function findRoot(layout: DiskLayout, reader: VolumeReader): Promise<RootSearch> {
  const remarks: string[] = [];
  const roots: FoundRoot[] = [];
  const search: Search = { layout, reader };
  for (const [index, volume] of layout.volumes.entries()) {
    if (!reader.canRead(index)) {
      const remark = closedRemark(volume, search);
      if (remark !== null) remarks.push(remark);
      continue;
    }
    try {
      const root = await openRoot(search, index);
      if (root !== null) roots.push(root);
    } catch (cause) {
      // One damaged volume must not hide the others.
      remarks.push(`${volumeLabel(volume)}: ${guestProblem(cause)}`);
    }
  }
  if (roots.length > 1) {
    const where = roots.map((root) => volumeLabel(root.volume)).join(', ');
    remarks.push(`${roots.length} operating systems were found (${where})`);
  }
  const root = roots.find((candidate) => candidate.claimsRoot) ?? roots[0] ?? null;
  return { root, remarks: [...remarks, ...(root?.remarks ?? [])] };
}
