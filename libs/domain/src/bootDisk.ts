/** A run of sectors of 512 bytes. */
export interface SectorRange {
  readonly firstSector: number;
  readonly sectors: number;
}

/** The menu of a boot loader that a program of the same family can show: GRUB 2. */
export interface BootMenuFacts {
  /** As GRUB sees it in its file system, e.g. `/boot/grub/grub.cfg`, `/@/boot/grub/grub.cfg`. */
  readonly path: string;
  /** The file system it lies in. */
  readonly uuid: string;
  readonly fileSystem: string;
  /** The file system lies on LVM or a software RAID. */
  readonly stacked: boolean;
  /** Its bytes: one piece of one disk. */
  readonly diskIndex: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** The disk that holds the kernels, seen by who wants to put a boot loader for another firmware on it. */
export interface BootDiskFacts {
  readonly diskIndex: number;
  readonly sizeBytes: number;
  readonly scheme: 'mbr' | 'gpt' | 'none';
  /** What no partition takes and a new one may have, in order. */
  readonly freeAreas: readonly SectorRange[];
  /** Number that a new partition gets; null = the table is full. */
  readonly freeNumber: number | null;
  readonly biosBoot: SectorRange | null;
  /** Why the table cannot be changed, e.g. a damaged copy; null = it can. */
  readonly obstacle: string | null;
  /** null: there is none that GRUB of another machine could show; `menuObstacle` says why. */
  readonly menu: BootMenuFacts | null;
  readonly menuObstacle: string | null;
}
