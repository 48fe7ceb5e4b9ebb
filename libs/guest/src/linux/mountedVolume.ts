import type { GuestMountFacts, VolumeFacts } from '@ascend/domain';
import { mapperName } from '../volumes/lvm/volumeGroup.ts';
import { resolveName, type NameContext } from './deviceNameFacts.ts';
import type { FstabEntry } from './fstab.ts';

type Key = (volume: VolumeFacts) => string | null | undefined;

const byUuid: Key = ({ uuid }) => uuid;
const byLabel: Key = ({ label }) => label;
const byPartitionUuid: Key = ({ partitionUuid }) => partitionUuid;
const byName: Key = ({ name }) => name;

/** Ways to write a volume in fstab (fstab(5)), and what they are compared with. UUIDs of FAT are in capital letters. */
const spellings: readonly (readonly [RegExp, Key])[] = [
  [/^UUID=(.+)$/, byUuid],
  [/^\/dev\/disk\/by-uuid\/(.+)$/, byUuid],
  [/^LABEL=(.+)$/, byLabel],
  [/^\/dev\/disk\/by-label\/(.+)$/, byLabel],
  [/^PARTUUID=(.+)$/, byPartitionUuid],
  [/^\/dev\/disk\/by-partuuid\/(.+)$/, byPartitionUuid],
  [/^\/dev\/mapper\/(.+)$/, byName],
  [/^\/dev\/(md\d+|md\/.+)$/, byName],
];

function unquote(text: string): string {
  return text.replace(/^"(.*)"$/, '$1');
}

/** The one volume that has the value; several are as good as none. */
function only(volumes: readonly VolumeFacts[], key: Key, value: string): VolumeFacts | null {
  const wanted = unquote(value);
  const exact = volumes.filter((volume) => key(volume) === wanted);
  const hits =
    exact.length > 0 || key === byName || key === byLabel
      ? exact
      : volumes.filter((volume) => key(volume)?.toLowerCase() === wanted.toLowerCase());
  return hits.length === 1 ? (hits[0] ?? null) : null;
}

/** The volume that a device of fstab stands for; null when none or more than one could be meant. */
export function volumeOfDevice(device: string, context: NameContext): VolumeFacts | null {
  for (const [pattern, key] of spellings) {
    const value = pattern.exec(device)?.[1];
    if (value !== undefined) return only(context.volumes, key, value);
  }
  const logical = /^\/dev\/([\w.+-]+)\/([\w.+-]+)$/.exec(device);
  const [, group, volume] = logical ?? [];
  if (group !== undefined && volume !== undefined)
    return only(context.volumes, byName, mapperName(group, volume));
  return resolveName(device, context);
}

/** The parts of the tree that edits read or write, and that may be file systems of their own. */
const editedMounts = ['/usr', '/boot', '/boot/efi', '/efi'];

/** Options that choose what of a volume is mounted. */
function choosingOptions(entry: FstabEntry): readonly string[] {
  return entry.options.filter((option) => /^subvol(?:id)?=/.test(option));
}

/** `/boot/` and `/boot` are the same mount point. */
function normal(mountPoint: string): string {
  return mountPoint.replace(/(?<=.)\/+$/, '');
}

/**
 * What the root's fstab mounts of the parts that edits touch, the root first, parents before children. A part whose
 * volume cannot be told is left out. Of two lines for one mount point the last one counts, as at boot.
 */
export function resolveMounts(
  context: NameContext,
  rootOptions: readonly string[],
): readonly GuestMountFacts[] {
  const { volumes, root, fstab } = context;
  const mounts: GuestMountFacts[] = [
    { mountPoint: '/', volume: volumes.indexOf(root), fileSystem: root.content, options: rootOptions },
  ];
  for (const mountPoint of editedMounts) {
    const entry = fstab.findLast((line) => normal(line.mountPoint) === mountPoint);
    const volume = entry === undefined ? null : volumeOfDevice(entry.device, context);
    if (entry === undefined || volume === null) continue;
    mounts.push({
      mountPoint,
      volume: volumes.indexOf(volume),
      fileSystem: volume.content,
      options: choosingOptions(entry),
    });
  }
  return mounts;
}
