import type { VolumeFacts, VolumeSegment } from '@ascend/domain';
import { sliceSource, type ByteSource } from '../byteSource.ts';
import { joinedSource, stripedSource } from './composedSource.ts';
import { readVolumeContent } from './volumeContent.ts';

/** A volume and its bytes. */
export interface StackedVolume {
  readonly facts: VolumeFacts;
  /** null: only the guest's own drivers could read it (thin, RAID 5 …). */
  readonly source: ByteSource | null;
}

/** Bytes and where they lie. */
export interface Area {
  readonly source: ByteSource;
  /** In order; of striped areas: every stripe's. */
  readonly segments: readonly VolumeSegment[];
  /** Why one piece of a disk does not tell it all, e.g. `striped over 2 disks`; null = it does. */
  readonly obstacle: string | null;
}

function overlap(segment: VolumeSegment, from: number, to: number): VolumeSegment[] {
  const start = Math.max(0, from);
  const end = Math.min(segment.sizeBytes, to);
  if (start >= end) return [];
  const { diskIndex, offsetBytes } = segment;
  return [{ diskIndex, offsetBytes: offsetBytes + start, sizeBytes: end - start }];
}

/** A part of an area. The part of a striped area names all its stripes. */
export function sliceArea(area: Area, offsetBytes: number, sizeBytes: number): Area {
  const source = sliceSource(area.source, offsetBytes, sizeBytes);
  if (area.obstacle !== null) return { ...area, source };
  const segments: VolumeSegment[] = [];
  let start = 0;
  for (const segment of area.segments) {
    segments.push(...overlap(segment, offsetBytes - start, offsetBytes + sizeBytes - start));
    start += segment.sizeBytes;
  }
  return { source, segments, obstacle: null };
}

function followsOn(before: VolumeSegment, after: VolumeSegment): boolean {
  return before.diskIndex === after.diskIndex && before.offsetBytes + before.sizeBytes === after.offsetBytes;
}

/** Neighbours on the same disk are one piece: `lvextend` often adds a segment right behind the last one. */
function mergeSegments(segments: readonly VolumeSegment[]): readonly VolumeSegment[] {
  const merged: VolumeSegment[] = [];
  for (const segment of segments) {
    const last = merged.at(-1);
    if (last !== undefined && followsOn(last, segment)) {
      merged[merged.length - 1] = { ...last, sizeBytes: last.sizeBytes + segment.sizeBytes };
    } else merged.push(segment);
  }
  return merged;
}

/** Areas one after the other. */
export function joinAreas(areas: readonly Area[]): Area {
  const [only] = areas;
  if (areas.length === 1 && only !== undefined) return only;
  return {
    source: joinedSource(areas.map((area) => area.source)),
    segments: mergeSegments(areas.flatMap((area) => area.segments)),
    obstacle: areas.find((area) => area.obstacle !== null)?.obstacle ?? null,
  };
}

/** Areas that take turns of `stripeBytes`. */
export function stripeAreas(areas: readonly Area[], stripeBytes: number): Area {
  return {
    source: stripedSource(
      areas.map((area) => area.source),
      stripeBytes,
    ),
    segments: areas.flatMap((area) => area.segments),
    obstacle: `striped over ${areas.length} areas`,
  };
}

const mountable = /^(?:ext[234]|xfs|btrfs)$/;

/**
 * What it takes to mount a volume (see `VolumeFacts.requires`): one piece of one disk with a file system that a single
 * device holds is for the host, everything else with a file system, and everything unreadable, is for the appliance.
 */
export function requirementOf(
  content: string,
  area: Pick<Area, 'segments' | 'obstacle'>,
  contentObstacle: string | null = null,
): Pick<VolumeFacts, 'requires' | 'requiresReason'> {
  if (content === 'lvm2' || content === 'mdraid')
    return area.obstacle === null ? {} : { requiresReason: area.obstacle };
  if (!mountable.test(content) && contentObstacle === null) return {};
  const pieces = area.segments.length;
  const reason =
    contentObstacle ?? area.obstacle ?? (pieces === 1 ? null : `it lies in ${pieces} pieces on the disks`);
  return { requires: reason === null ? 'host' : 'appliance', requiresReason: reason };
}

/** A volume that was put together, told by its contents. */
export async function describeStacked(name: string, area: Area): Promise<StackedVolume> {
  const { source, segments } = area;
  const { obstacle, ...content } = await readVolumeContent(source);
  const facts: VolumeFacts = {
    diskIndex: segments[0]?.diskIndex ?? 0,
    partition: null,
    offsetBytes: segments[0]?.offsetBytes ?? 0,
    sizeBytes: source.sizeBytes,
    ...content,
    name,
    segments,
    ...requirementOf(content.content, area, obstacle),
  };
  return { facts, source };
}

/** A volume whose bytes only the guest's own drivers can put together. */
export function unreadableVolume(params: {
  readonly name: string;
  readonly sizeBytes: number;
  readonly reason: string;
  readonly diskIndex: number;
}): StackedVolume {
  const { name, sizeBytes, reason, diskIndex } = params;
  const facts: VolumeFacts = {
    diskIndex,
    partition: null,
    offsetBytes: 0,
    sizeBytes,
    content: 'unknown',
    uuid: null,
    label: null,
    name,
    segments: [],
    requires: 'appliance',
    requiresReason: reason,
  };
  return { facts, source: null };
}
