import {
  describeStacked,
  joinAreas,
  sliceArea,
  stripeAreas,
  unreadableVolume,
  type Area,
  type StackedVolume,
} from '../stackedVolume.ts';
import { readPhysicalVolume } from './physicalVolume.ts';
import { readVolumeGroup, type LogicalSegment, type LogicalVolume, type VolumeGroup } from './volumeGroup.ts';

type PhysicalAreas = ReadonlyMap<string, Area>;

function segmentArea(segment: LogicalSegment, areas: PhysicalAreas): Area | null {
  const stripeBytes = segment.sizeBytes / segment.stripes.length;
  const parts: Area[] = [];
  for (const { pvId, offsetBytes } of segment.stripes) {
    const area = areas.get(pvId);
    if (area === undefined || offsetBytes + stripeBytes > area.source.sizeBytes) return null;
    parts.push(sliceArea(area, offsetBytes, stripeBytes));
  }
  return segment.stripeBytes === 0 ? joinAreas(parts) : stripeAreas(parts, segment.stripeBytes);
}

async function assembleVolume(
  volume: LogicalVolume,
  areas: PhysicalAreas,
  diskIndex: number,
): Promise<StackedVolume> {
  const { deviceName: name, sizeBytes } = volume;
  const parts = (volume.segments ?? []).map((segment) => segmentArea(segment, areas));
  const found = parts.filter((part) => part !== null);
  if (volume.segments !== null && found.length === parts.length) {
    return await describeStacked(name, joinAreas(found));
  }
  const reason =
    volume.kind === null
      ? 'a physical volume of it is not on the disks'
      : `an LVM volume of type ${volume.kind}`;
  return unreadableVolume({ name, sizeBytes, reason, diskIndex });
}

/** The newest copy of each volume group, by its id. */
function newest(groups: readonly VolumeGroup[]): readonly VolumeGroup[] {
  const best = new Map<string, VolumeGroup>();
  for (const group of groups) {
    if ((best.get(group.id)?.sequence ?? -1) < group.sequence) best.set(group.id, group);
  }
  return [...best.values()];
}

/**
 * Finds the volume groups whose physical volumes are among `candidates`, and puts their logical volumes together. Names
 * what it cannot put together; never throws for strange bytes.
 */
export async function assembleGroups(candidates: readonly Area[]): Promise<readonly StackedVolume[]> {
  const areas = new Map<string, Area>();
  const groups: VolumeGroup[] = [];
  for (const area of candidates) {
    const pv = await readPhysicalVolume(area.source);
    if (pv === null) continue;
    areas.set(pv.id, area);
    const group = pv.metadata === null ? null : readVolumeGroup(pv.metadata);
    if (group !== null) groups.push(group);
  }
  const diskIndex = [...areas.values()][0]?.segments[0]?.diskIndex ?? 0;
  const volumes: StackedVolume[] = [];
  for (const group of newest(groups)) {
    for (const volume of group.volumes) volumes.push(await assembleVolume(volume, areas, diskIndex));
  }
  return volumes;
}
