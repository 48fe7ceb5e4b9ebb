import { parseMetadataText, type LvmSection, type LvmValue } from './metadataText.ts';

/** A run of extents of a logical volume on physical volumes; several stripes take turns. */
export interface LogicalSegment {
  readonly sizeBytes: number;
  /** 0 with one stripe. */
  readonly stripeBytes: number;
  /** Where each stripe starts, by the id of the physical volume (without dashes). */
  readonly stripes: readonly { readonly pvId: string; readonly offsetBytes: number }[];
}

/** A logical volume that the guest sees as a device. */
export interface LogicalVolume {
  /** Name of the device below `/dev/mapper`: dashes inside of the two names are doubled. */
  readonly deviceName: string;
  readonly sizeBytes: number;
  /** null: not of linear or striped segments; see `kind`. */
  readonly segments: readonly LogicalSegment[] | null;
  /** Type of the first segment that is neither linear nor striped (`thin`, `raid1`, `cache` …); null = there is none. */
  readonly kind: string | null;
}

/** A volume group as one copy of its metadata describes it. */
export interface VolumeGroup {
  readonly id: string;
  readonly name: string;
  /** Grows with each change: the highest copy is valid. */
  readonly sequence: number;
  readonly volumes: readonly LogicalVolume[];
}

const sectorBytes = 512;
const maxVolumes = 1024;
const maxSegments = 10_000;
const maxStripes = 128;
const namePattern = /^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,127}$/;

function numberOf(section: LvmSection | undefined, key: string): number | null {
  const value = section?.values.get(key);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function textOf(section: LvmSection, key: string): string {
  const value = section.values.get(key);
  return typeof value === 'string' ? value : '';
}

function listOf(section: LvmSection, key: string): readonly LvmValue[] {
  const value = section.values.get(key);
  return Array.isArray(value) ? value : [];
}

/** The name of a logical volume below `/dev/mapper`. */
export function mapperName(group: string, volume: string): string {
  return [group, volume].map((name) => name.replaceAll('-', '--')).join('-');
}

interface GroupContext {
  readonly extentBytes: number;
  readonly pvs: ReadonlyMap<string, { readonly id: string; readonly startBytes: number }>;
}

function readSegment(section: LvmSection, { extentBytes, pvs }: GroupContext): LogicalSegment | null {
  const extents = numberOf(section, 'extent_count');
  const places = listOf(section, 'stripes');
  const count = places.length / 2;
  if (extents === null || count === 0 || !Number.isInteger(count) || count > maxStripes) return null;
  const stripes: { pvId: string; offsetBytes: number }[] = [];
  for (let index = 0; index < places.length; index += 2) {
    const pv = pvs.get(String(places[index]));
    const extent = places[index + 1];
    if (pv === undefined || typeof extent !== 'number' || extent < 0) return null;
    stripes.push({ pvId: pv.id, offsetBytes: pv.startBytes + extent * extentBytes });
  }
  const stripeBytes = (numberOf(section, 'stripe_size') ?? 0) * sectorBytes;
  const sizeBytes = extents * extentBytes;
  const evenly = count === 1 || (stripeBytes > 0 && sizeBytes % (stripeBytes * count) === 0);
  const safe = [sizeBytes, ...stripes.map((stripe) => stripe.offsetBytes)].every(Number.isSafeInteger);
  return evenly && safe ? { sizeBytes, stripeBytes: count === 1 ? 0 : stripeBytes, stripes } : null;
}

function readLogicalVolume(
  names: { readonly group: string; readonly volume: string },
  section: LvmSection,
  context: GroupContext,
): LogicalVolume | null {
  if (!namePattern.test(names.volume) || !listOf(section, 'status').includes('VISIBLE')) return null;
  const parts = [...section.sections]
    .filter(([name]) => /^segment\d+$/.test(name))
    .map(([, part]) => part)
    .slice(0, maxSegments)
    .toSorted(
      (left, right) => (numberOf(left, 'start_extent') ?? 0) - (numberOf(right, 'start_extent') ?? 0),
    );
  const extents = parts.reduce((sum, part) => sum + (numberOf(part, 'extent_count') ?? 0), 0);
  const other = parts
    .map((part) => textOf(part, 'type'))
    .find((type) => type !== 'striped' && type !== 'linear');
  const segments = other === undefined ? parts.map((part) => readSegment(part, context)) : [];
  const whole = other === undefined && segments.length > 0 && segments.every((segment) => segment !== null);
  return {
    deviceName: mapperName(names.group, names.volume),
    sizeBytes: extents * context.extentBytes,
    segments: whole ? segments.filter((segment) => segment !== null) : null,
    kind: whole ? null : (other ?? 'damaged'),
  };
}

function readPhysicalVolumes(section: LvmSection | undefined): GroupContext['pvs'] {
  const pvs = new Map<string, { id: string; startBytes: number }>();
  for (const [name, pv] of section?.sections ?? []) {
    const start = numberOf(pv, 'pe_start');
    if (start !== null)
      pvs.set(name, { id: textOf(pv, 'id').replaceAll('-', ''), startBytes: start * sectorBytes });
  }
  return pvs;
}

/**
 * Reads one copy of a volume group's metadata. null: not such a text. Hidden volumes (images of mirrors, pools) are
 * left out; what is not made of linear or striped segments is named by `kind`.
 */
export function readVolumeGroup(text: string): VolumeGroup | null {
  const [entry] = [...(parseMetadataText(text)?.sections ?? [])];
  if (entry === undefined || !namePattern.test(entry[0])) return null;
  const [name, group] = entry;
  const extentSectors = numberOf(group, 'extent_size');
  if (extentSectors === null || extentSectors === 0) return null;
  const context: GroupContext = {
    extentBytes: extentSectors * sectorBytes,
    pvs: readPhysicalVolumes(group.sections.get('physical_volumes')),
  };
  const volumes = [...(group.sections.get('logical_volumes')?.sections ?? [])]
    .slice(0, maxVolumes)
    .map(([volume, section]) => readLogicalVolume({ group: name, volume }, section, context))
    .filter((volume) => volume !== null);
  const sequence = numberOf(group, 'seqno') ?? 0;
  return { id: textOf(group, 'id').replaceAll('-', ''), name, sequence, volumes };
}
