import type { Firmware } from '@ascend/domain';

/** The programs that configure the network of a Debian server. */
export type NetworkProgram = 'ifupdown' | 'netplan' | 'network-manager' | 'networkd';

/** The thirteen guests of the boot matrix, each named after what is special about it. */
export type MatrixGuestName =
  | 'bios-ext4'
  | 'uefi-lvm'
  | 'uefi-no-fallback'
  | 'xfs-root'
  | 'btrfs-root'
  | 'two-kernels'
  | 'netplan'
  | 'network-manager'
  | 'ifupdown'
  | 'dracut'
  | 'luks-root'
  | 'second-disk'
  | 'separate-boot';

/** One guest of the boot matrix: what it is built like. Everything else is the same for all. */
export interface MatrixGuest {
  readonly name: MatrixGuestName;
  readonly firmware: Firmware;
  readonly rootFileSystem: 'ext4' | 'xfs' | 'btrfs';
  /** What the root file system lies in: the partition itself, an LVM volume, or a LUKS2 container. */
  readonly container: 'partition' | 'lvm' | 'luks';
  /** `/boot` is an ext4 file system of its own. */
  readonly hasSeparateBoot: boolean;
  /** The disk that holds boot loader and root; with 1, disk 0 is a data disk. */
  readonly rootDisk: 0 | 1;
  /** False: `EFI/debian` alone, so only an entry in the firmware's variables boots it. Means nothing with BIOS. */
  readonly hasEfiFallback: boolean;
  readonly network: NetworkProgram;
  readonly initramfsTool: 'initramfs-tools' | 'dracut';
  /** Packages beyond the base root. */
  readonly packages: readonly string[];
  /** Last byte of address and MAC; no two guests share one. */
  readonly number: number;
}

/** File system UUIDs: constants, so that fstab and boot loader need no look-up. `efi` is a FAT volume id. */
export const matrixUuids = {
  root: '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0101',
  boot: '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0102',
  data: '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0103',
  swap: '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0104',
  luks: '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0105',
  efi: 'A5CE-0D01',
  efiPartition: '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0106',
} as const;

const mib = 1024 ** 2;

/** Virtual sizes of a guest's disks and of its EFI system partition, in bytes. */
export const matrixSizes = { disk: 1200 * mib, dataDisk: 65 * mib, efi: 64 * mib } as const;

/** Names of the volume group, its root volume and the opened LUKS container. */
export const volumeNames = { group: 'vg0', root: 'root', swap: 'swap', opened: 'root_crypt' } as const;

/** Opens the LUKS container, as the key file in the initramfs does. */
export const luksPassphrase = 'correct horse battery staple';

/** The only card of a guest. Its name comes from the source's hot-plug slot: no other machine gives the same one. */
export function matrixNic(guest: MatrixGuest): {
  readonly name: string;
  readonly slotNumber: number;
  readonly mac: string;
  readonly address: string;
  readonly gateway: string;
} {
  const byte = guest.number.toString(16).padStart(2, '0');
  return {
    name: 'ens192',
    slotNumber: 192,
    mac: `00:50:56:aa:cc:${byte}`,
    address: `10.0.2.${guest.number}/24`,
    gateway: '10.0.2.2',
  };
}

/** The disk bus of the hardware a guest comes from; OVMF has no driver for pvscsi. */
export function sourceBus(guest: MatrixGuest): 'pvscsi' | 'ahci' {
  return guest.firmware === 'bios' ? 'pvscsi' : 'ahci';
}

/** The kernel's name of the root file system, as `root=` and fstab have it. */
export function rootDevice(guest: MatrixGuest): string {
  if (guest.container === 'lvm') return `/dev/mapper/${volumeNames.group}-${volumeNames.root}`;
  if (guest.container === 'luks') return `/dev/mapper/${volumeNames.opened}`;
  return `UUID=${matrixUuids.root}`;
}
