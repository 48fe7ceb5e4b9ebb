import {
  describeStacked,
  joinAreas,
  sliceArea,
  stripeAreas,
  unreadableVolume,
  type Area,
  type StackedVolume,
} from '../stackedVolume.ts';
import type { MdMember } from './superblock.ts';

/** A volume that carries a superblock of an array. */
export interface MemberArea {
  readonly member: MdMember;
  readonly area: Area;
}

const levelNames: Readonly<Record<number, string>> = { [-1]: 'linear' };

function dataArea({ member, area }: MemberArea): Area {
  return sliceArea(area, member.dataOffsetBytes, member.dataBytes);
}

/** `md0` for numbers, `md/root` for names: as the guest's /dev shows them. Names that are no names of files are dropped. */
function arrayName(member: MdMember): string {
  const name = member.name ?? '';
  if (/^\d{1,4}$/.test(name)) return `md${Number(name)}`;
  return /^[\w.+-]{1,32}$/.test(name) && !name.startsWith('.')
    ? `md/${name}`
    : `md/${member.setUuid.slice(0, 8)}`;
}

/** The members that are in the array, by place; of two for one place the one with the later history. */
function activeMembers(members: readonly MemberArea[]): readonly MemberArea[] {
  const byRole = new Map<number, MemberArea>();
  for (const each of members) {
    const { role, events } = each.member;
    if (role === null) continue;
    const known = byRole.get(role);
    if (known === undefined || known.member.events < events) byRole.set(role, each);
  }
  return [...byRole.entries()].toSorted(([left], [right]) => left - right).map(([, each]) => each);
}

/** All bytes of an array, or why only the guest's kernel can put them together. */
function arrayArea(active: readonly MemberArea[]): Area | string {
  const [first] = active;
  if (first === undefined) return 'a software RAID without an active member';
  const { level, memberCount, chunkBytes, reshaping } = first.member;
  if (reshaping) return 'a software RAID in the middle of a reshape';
  if (level === 1) {
    const latest = active.reduce((best, each) => (each.member.events > best.member.events ? each : best));
    const copies = [latest, ...active.filter((each) => each !== latest)];
    return {
      source: dataArea(latest).source,
      segments: copies.flatMap((each) => dataArea(each).segments),
      obstacle: `software RAID 1 of ${memberCount} members`,
    };
  }
  if (level !== 0 && level !== -1) return `software RAID ${level}`;
  const label = `software RAID ${levelNames[level] ?? level} of ${memberCount} members`;
  if (active.length !== memberCount) return `${label}, ${active.length} of them on the disks`;
  const areas = active.map(dataArea);
  if (level === -1) return { ...joinAreas(areas), obstacle: label };
  const turns = new Set(areas.map((area) => Math.floor(area.source.sizeBytes / chunkBytes)));
  // Members of different length make zones of fewer members behind the shortest one's end.
  if (chunkBytes === 0 || turns.size !== 1) return `${label} of different length`;
  return { ...stripeAreas(areas, chunkBytes), obstacle: label };
}

/** Puts software RAIDs together from their members. Names what it cannot put together. */
export async function assembleArrays(members: readonly MemberArea[]): Promise<readonly StackedVolume[]> {
  const arrays = new Map<string, MemberArea[]>();
  for (const each of members) {
    arrays.set(each.member.setUuid, [...(arrays.get(each.member.setUuid) ?? []), each]);
  }
  const volumes: StackedVolume[] = [];
  for (const group of arrays.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const name = arrayName(first.member);
    const area = arrayArea(activeMembers(group));
    const { facts, source } =
      typeof area === 'string'
        ? unreadableVolume({
            name,
            sizeBytes: 0,
            reason: area,
            diskIndex: first.area.segments[0]?.diskIndex ?? 0,
          })
        : await describeStacked(name, area);
    volumes.push({ facts: { ...facts, arrayUuid: first.member.setUuid }, source });
  }
  return volumes;
}
