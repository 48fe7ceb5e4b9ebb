import type { BootDiskFacts, BootMenuFacts, SectorRange } from './bootDisk.ts';
import type { EspFacts, GuestFacts } from './facts.ts';
import type { Firmware } from './vm.ts';

/** Where the boot loader for the new firmware goes. */
export interface LoaderPlace {
  readonly diskIndex: number;
  readonly diskBytes: number;
  readonly scheme: 'mbr' | 'gpt';
  /** Of the EFI system partition, of the BIOS boot partition, or of the gap behind the master boot record. */
  readonly area: SectorRange;
  /** Number of the partition to be made there; null = it is there already, or none is needed. */
  readonly newPartition: number | null;
  readonly menu: BootMenuFacts;
}

/** How a guest comes to boot by another firmware: where its loader goes, or why there is no way. */
export type FirmwareConversion =
  | { readonly place: LoaderPlace; readonly obstacle: null }
  | { readonly place: null; readonly obstacle: string };

const sectorBytes = 512;
const alignSectors = 2048;
/** Room for GRUB with the drivers of one guest: 1 MiB less what stands before the first partition of a usual disk. */
const leastEspSectors = 1900;
/** FAT32 needs 65525 clusters. */
const wholeEspSectors = 36 * alignSectors;
const mostEspSectors = 64 * alignSectors;
const oldLoaderSectors = 127;
const leastCoreSectors = 700;
const coreSectors = alignSectors;

/** The part of an area that begins and ends on a MiB. */
function aligned({ firstSector, sectors }: SectorRange): SectorRange {
  const start = Math.ceil(firstSector / alignSectors) * alignSectors;
  const end = Math.floor((firstSector + sectors) / alignSectors) * alignSectors;
  return { firstSector: start, sectors: Math.max(0, end - start) };
}

function cut({ firstSector, sectors }: SectorRange, most: number): SectorRange {
  return { firstSector, sectors: Math.min(sectors, most) };
}

/** Behind a master boot record the old boot loader keeps its place, where that leaves enough. */
function besideOldLoader(area: SectorRange): SectorRange {
  const { firstSector, sectors } = area;
  const kept = firstSector === 1 ? oldLoaderSectors : 0;
  return sectors - kept < leastEspSectors
    ? area
    : { firstSector: firstSector + kept, sectors: sectors - kept };
}

/** The last area with room for an ordinary EFI system partition, else the first in which the loader alone has room. */
function espArea(areas: readonly SectorRange[]): SectorRange | null {
  const ordinary = areas.map(aligned).findLast(({ sectors }) => sectors >= wholeEspSectors);
  const small = areas.find(({ sectors }) => sectors >= leastEspSectors);
  const found = ordinary ?? small;
  return found === undefined ? null : cut(besideOldLoader(found), mostEspSectors);
}

function coreArea(disk: BootDiskFacts): SectorRange | null {
  const found = disk.freeAreas.find(({ sectors }) => sectors >= leastCoreSectors);
  return found === undefined ? null : cut(found, coreSectors);
}

function sectorsOf({ offsetBytes, sizeBytes }: EspFacts): SectorRange {
  return { firstSector: offsetBytes / sectorBytes, sectors: Math.floor(sizeBytes / sectorBytes) };
}

interface Choice {
  readonly area: SectorRange;
  readonly newPartition: number | null;
}

function describeFree({ freeAreas }: BootDiskFacts): string {
  const most = Math.max(0, ...freeAreas.map(({ sectors }) => sectors));
  return `its largest free area has ${Math.floor((most * sectorBytes) / 1024)} KiB`;
}

function chooseUefi(disk: BootDiskFacts, esp: EspFacts | null): Choice | string {
  if (esp !== null && esp.diskIndex === disk.diskIndex) {
    const area = sectorsOf(esp);
    return area.sectors < leastEspSectors
      ? 'its EFI system partition is too small for a boot loader'
      : { area, newPartition: null };
  }
  if (disk.obstacle !== null) return disk.obstacle;
  if (disk.freeNumber === null) return 'its partition table has no entry left for an EFI system partition';
  const area = espArea(disk.freeAreas);
  if (area === null) return `there is no room for an EFI system partition: ${describeFree(disk)}`;
  return { area, newPartition: disk.freeNumber };
}

/** MBR: the gap before the first partition. GPT: a BIOS boot partition, found or made. */
function chooseBios(disk: BootDiskFacts): Choice | string {
  if (disk.scheme === 'mbr') {
    const [gap] = disk.freeAreas;
    return gap !== undefined && gap.firstSector === 1 && gap.sectors >= leastCoreSectors
      ? { area: gap, newPartition: null }
      : `there is no room for a boot loader before its first partition: ${describeFree(disk)}`;
  }
  if (disk.biosBoot !== null && disk.biosBoot.sectors >= leastCoreSectors)
    return { area: disk.biosBoot, newPartition: null };
  if (disk.obstacle !== null) return disk.obstacle;
  if (disk.freeNumber === null) return 'its partition table has no entry left for a BIOS boot partition';
  const area = coreArea(disk);
  if (area === null) return `there is no room for a BIOS boot partition: ${describeFree(disk)}`;
  return { area, newPartition: disk.freeNumber };
}

/** Does a guest need a boot loader of ours to start by this firmware? Not where both kinds of marks are on its disks and it has programs for UEFI. */
export function needsLoader(guest: GuestFacts, to: Firmware): boolean {
  if (guest.firmware !== 'unknown') return guest.firmware !== to;
  const { esp } = guest;
  return to === 'uefi' && esp !== undefined && esp !== null && esp.programs.length === 0;
}

function refuse(obstacle: string): FirmwareConversion {
  return { place: null, obstacle };
}

/**
 * How the guest comes to boot by `to`, by what the probe saw of its boot disk. Pure. BIOS to UEFI: an EFI system partition, there already or
 * made where no partition is (UEFI 2.10 §5.2 has it in an MBR as well). UEFI to BIOS: the gap behind the MBR, or a BIOS boot partition.
 */
export function convertFirmware(guest: GuestFacts, to: Firmware): FirmwareConversion {
  const { bootDisk, esp } = guest;
  if (guest.family !== 'linux')
    return refuse(`the boot loader of a ${guest.family} guest is not made for another firmware`);
  if (guest.arch !== 'x86_64')
    return refuse(`there is no boot loader for ${guest.arch ?? 'its'} architecture`);
  if (bootDisk === undefined || bootDisk === null) return refuse('the disk with its kernels is not known');
  const { menu, scheme, diskIndex, sizeBytes: diskBytes } = bootDisk;
  if (menu === null) return refuse(bootDisk.menuObstacle ?? 'it has no menu that GRUB reads');
  if (scheme === 'none') return refuse('its boot disk has no partition table');
  const choice = to === 'uefi' ? chooseUefi(bootDisk, esp ?? null) : chooseBios(bootDisk);
  if (typeof choice === 'string') return refuse(choice);
  return { place: { diskIndex, diskBytes, scheme, ...choice, menu }, obstacle: null };
}
