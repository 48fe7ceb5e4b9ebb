/** Buses in the order of the API's own list (`DiskBusType`, v4.3, read 2026-11-20); within a bus the index counts. */
const buses = ['scsi', 'ide', 'pci', 'sata', 'spapr'];

/** Where a disk or CD-ROM is attached. */
export interface DiskPlace {
  /** Lower case, as `adapter_type` of the guest needs: `scsi`, `sata`, `pci`, `ide`. */
  readonly bus: string | null;
  readonly index: number | null;
}

/** `scsi.0`, as the platform's own tools write it; null = not told. */
export function placeName({ bus, index }: DiskPlace): string | null {
  return bus === null ? null : `${bus}.${index ?? '?'}`;
}

function rank({ bus, index }: DiskPlace): number {
  const place = buses.indexOf(bus ?? '');
  return (place < 0 ? buses.length : place) * 100_000 + Math.min(index ?? 99_999, 99_999);
}

/** Sorts disks by bus and index; what has no place keeps its order at the end. */
export function inDiskOrder<T extends DiskPlace>(disks: readonly T[]): readonly T[] {
  return disks.toSorted((a, b) => rank(a) - rank(b));
}
