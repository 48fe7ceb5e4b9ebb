/** Kinds of controllers, in the order of the device keys that the platform gives to their disks. */
const kinds = ['scsi', 'ide', 'sata', 'nvme'] as const;

/** One kind of controller. */
export type ControllerKind = (typeof kinds)[number];

/** Where a disk is attached. */
export interface DiskAddress {
  readonly kind: ControllerKind;
  readonly bus: number;
  readonly unit: number;
}

interface KeyRule {
  readonly first: number;
  readonly buses: number;
  readonly units: number;
}

const keyRules: Readonly<Record<ControllerKind, KeyRule>> = {
  scsi: { first: 2000, buses: 4, units: 16 },
  ide: { first: 3000, buses: 2, units: 2 },
  sata: { first: 16_000, buses: 4, units: 30 },
  nvme: { first: 32_000, buses: 1, units: 64 },
};

/**
 * Device key of a disk by its address, as vSphere gives them: 2000 + 16 × bus + unit on SCSI, 3000 + 2 × channel + unit on IDE, 16000 + 30 × bus +
 * unit on SATA, 32000 + unit on the first NVMe controller (general knowledge, 2026-11-21: not tried on a real vSphere); null where no rule is known.
 */
export function diskKeyOf({ kind, bus, unit }: DiskAddress): number | null {
  const { first, buses, units } = keyRules[kind];
  return bus < buses && unit < units ? first + units * bus + unit : null;
}

/** `scsi0:1`. */
export function addressText({ kind, bus, unit }: DiskAddress): string {
  return `${kind}${bus}:${unit}`;
}

/** Order of the device keys, which is the order in which backups number the disks. */
export function byAddress(a: DiskAddress, b: DiskAddress): number {
  return kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.bus - b.bus || a.unit - b.unit;
}

const scsiWords: Readonly<Record<string, string>> = {
  virtualscsi: 'pvscsi',
  pvscsi: 'pvscsi',
  lsilogicsas: 'lsilogic-sas',
  lsisas1068: 'lsilogic-sas',
  lsilogic: 'lsilogic',
  buslogic: 'buslogic',
};

/** The bus in the words of `guestNeeds`; `model`: the document's word for the controller. */
export function busOf(kind: ControllerKind, model: string | null): string {
  if (kind === 'sata') return 'ahci';
  if (kind !== 'scsi') return kind;
  const word = model?.toLowerCase() ?? 'scsi';
  return (Object.hasOwn(scsiWords, word) ? scsiWords[word] : undefined) ?? word;
}
