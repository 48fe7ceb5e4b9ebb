import { openedName, type VolumeFacts } from '@ascend/domain';
import { requirementOf } from '../volumes/stackedVolume.ts';
import type { DiskLayout } from '../volumes/volumeFacts.ts';
import type { ApplianceFileSystem, ApplianceLayout } from './inspectLayout.ts';

/** A layout with what an appliance sees beyond the host's parsers. */
export interface ApplianceVolumes {
  /** Every volume of the host's layout at its index, then further ones. */
  readonly layout: DiskLayout;
  /** Index of a volume → its device in this session of the appliance. */
  readonly devices: ReadonlyMap<number, string>;
}

/** The device mapper's name of a logical volume, with hyphens in names doubled; other names stay. */
function mapped(device: string): string {
  const [, group = '', volume = ''] = /^\/dev\/([^/]+)\/([^/]+)$/.exec(device) ?? [];
  if (volume === '' || group === 'mapper') return device;
  return `/dev/mapper/${group.replaceAll('-', '--')}-${volume.replaceAll('-', '--')}`;
}

/** mdadm groups the digits of an array's UUID by colons. */
function digits(uuid: string | null | undefined): string {
  return (uuid ?? '').replaceAll(/[^\da-f]/gi, '').toLowerCase();
}

function byPlace(volume: VolumeFacts, seen: ApplianceLayout): string | null {
  const { name, arrayUuid, diskIndex, partition } = volume;
  if (name === undefined) {
    const disk = seen.disks.find((candidate) => candidate.diskIndex === diskIndex);
    return disk === undefined ? null : `${disk.device}${partition ?? ''}`;
  }
  if (arrayUuid !== undefined)
    return seen.arrays.find(({ uuid }) => digits(uuid) === digits(arrayUuid))?.device ?? null;
  const locked = seen.luks.find(({ uuid }) => openedName(uuid) === name);
  if (locked !== undefined) return locked.openedAs;
  return seen.fileSystems.find(({ device }) => mapped(device) === `/dev/mapper/${name}`)?.device ?? null;
}

function sameUuid(one: string | null, other: string | null): boolean {
  return one !== null && one.toLowerCase() === other?.toLowerCase();
}

/**
 * The file system of an appliance's session that a volume of the facts is: by its place or name, else by its own UUID where only one has
 * it. null: it is not there.
 */
export function findFileSystem(volume: VolumeFacts, seen: ApplianceLayout): ApplianceFileSystem | null {
  const device = byPlace(volume, seen);
  const placed = seen.fileSystems.find((system) => system.device === device);
  if (placed !== undefined && (volume.uuid === null || sameUuid(volume.uuid, placed.uuid))) return placed;
  const same = seen.fileSystems.filter(
    ({ uuid, type }) => sameUuid(volume.uuid, uuid) && type === volume.content,
  );
  return same.length === 1 ? (same[0] ?? null) : null;
}

/** The disk that a device lies on, as far as names tell: of what lies in a container, the disk of the first container. */
function diskOf(device: string, { disks, luks }: ApplianceLayout, host: DiskLayout): number {
  const partitionOf = (name: string): number | undefined =>
    disks.find((disk) => name.startsWith(disk.device) && /^\d*$/.test(name.slice(disk.device.length)))
      ?.diskIndex;
  const container =
    luks.find(({ openedAs }) => openedAs === device) ?? luks.find(({ openedAs }) => openedAs !== null);
  const member = host.volumes.find(({ content }) => content === 'mdraid' || content === 'lvm2');
  return partitionOf(device) ?? partitionOf(container?.device ?? '') ?? member?.diskIndex ?? 0;
}

function newVolume(system: ApplianceFileSystem, seen: ApplianceLayout, host: DiskLayout): VolumeFacts {
  const { device, type, uuid, label, sizeBytes } = system;
  const locked = seen.luks.find(({ openedAs }) => openedAs === device);
  const obstacle = locked === undefined ? 'only an appliance puts it together' : 'inside of LUKS encryption';
  return {
    diskIndex: diskOf(device, seen, host),
    partition: null,
    offsetBytes: 0,
    sizeBytes: sizeBytes ?? 0,
    content: type,
    uuid,
    label,
    name:
      locked === undefined ? mapped(device).replace(/^\/dev\/(?:mapper\/)?/, '') : openedName(locked.uuid),
    segments: [],
    ...requirementOf(type, { segments: [], obstacle }),
  };
}

/** Adds what an appliance sees: contents of volumes that the host's parsers could only name, and volumes inside of containers. */
export function addApplianceVolumes(host: DiskLayout, seen: ApplianceLayout): ApplianceVolumes {
  const devices = new Map<number, string>();
  const volumes = host.volumes.map((volume, index) => {
    const system = findFileSystem(volume, seen);
    if (system === null) return volume;
    devices.set(index, system.device);
    if (host.sources[index] !== null) return volume;
    const { type: content, uuid, label } = system;
    return { ...volume, content, uuid, label, sizeBytes: system.sizeBytes ?? volume.sizeBytes };
  });
  const known = new Set(devices.values());
  for (const system of seen.fileSystems.filter(({ device }) => !known.has(device))) {
    devices.set(volumes.length, system.device);
    volumes.push(newVolume(system, seen, host));
  }
  for (const { device, uuid } of seen.luks) {
    if (volumes.some(({ content, uuid: held }) => content === 'luks' && sameUuid(uuid, held))) continue;
    const system = { device, type: 'luks', uuid, label: null, sizeBytes: null, subvolumes: [] };
    volumes.push(newVolume(system, seen, host));
  }
  const further = volumes.slice(host.volumes.length).map(() => null);
  return { layout: { ...host, volumes, sources: [...host.sources, ...further] }, devices };
}
