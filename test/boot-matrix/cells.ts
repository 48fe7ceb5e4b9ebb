import type { MachineBus } from '@ascend/guest';
import type { MatrixGuest, MatrixGuestName } from '../guests/matrix/matrixGuest.ts';
import type { MatrixTargetName } from './targets.ts';

/**
 * How a cell ended. `no-address`: up, but not at its address. `down`: the console says why it does not come up. `silent`: no
 * proof of either in time; never expected. `refused`: the plan says that this guest cannot be prepared.
 */
export type CellOutcome = 'up' | 'no-address' | 'down' | 'silent' | 'refused';

/** One guest on one hardware model. */
export interface MatrixCell {
  readonly guest: MatrixGuestName;
  readonly bus: MachineBus;
  /** Whose data decides what is put into the guest. */
  readonly target: MatrixTargetName;
  /** False: booted as it was backed up, to show that without conversion it does not come up. */
  readonly isConverted: boolean;
  readonly expected: CellOutcome;
  /** Why anything else than `up` is right today. */
  readonly note?: string;
}

type Row = readonly [MatrixGuestName, MachineBus, MatrixTargetName];

function converted(rows: readonly Row[], rest: Partial<MatrixCell> = {}): readonly MatrixCell[] {
  return rows.map(([guest, bus, target]) => ({
    guest,
    bus,
    target,
    isConverted: true,
    expected: 'up',
    ...rest,
  }));
}

/**
 * Small enough for every change: every bus, both kinds of firmware, all four network programs, a root on the second disk, `/boot` of
 * its own. Guests that are built within seconds and without root; those with two kernels or dracut take minutes.
 */
export const quickCells: readonly MatrixCell[] = converted([
  ['bios-ext4', 'virtio-blk', 'kvm'],
  ['bios-ext4', 'nvme', 'vmware'],
  ['separate-boot', 'virtio-blk', 'kvm'],
  ['second-disk', 'pvscsi', 'vmware'],
  ['ifupdown', 'ide', 'cloudstack'],
  ['network-manager', 'ahci', 'cloudstack'],
  ['netplan', 'virtio-blk', 'cloudstack'],
  ['uefi-no-fallback', 'virtio-scsi', 'nutanix'],
]);

const moreConverted = converted([
  ['two-kernels', 'virtio-scsi', 'nutanix'],
  ['two-kernels', 'virtio-blk', 'cloudstack'],
  ['dracut', 'virtio-blk', 'kvm'],
  ['dracut', 'ahci', 'vmware'],
  ['netplan', 'nvme', 'vmware'],
  ['netplan', 'nvme', 'azure'],
  ['network-manager', 'virtio-blk', 'nutanix'],
  ['network-manager', 'ide', 'vmware'],
  ['ifupdown', 'nvme', 'aws'],
  ['second-disk', 'virtio-scsi', 'cloudstack'],
]);

/** Roots of several volumes, and file systems that the kernel mounts. */
const layouts = converted([
  ['separate-boot', 'nvme', 'vmware'],
  ['xfs-root', 'virtio-scsi', 'nutanix'],
  ['xfs-root', 'ahci', 'cloudstack'],
  ['btrfs-root', 'virtio-blk', 'kvm'],
  ['btrfs-root', 'ide', 'nutanix'],
  ['uefi-lvm', 'virtio-blk', 'cloudstack'],
  ['uefi-lvm', 'nvme', 'vmware'],
]);

/** Prepared by the appliance, with the key. */
const encrypted = converted([['luks-root', 'virtio-scsi', 'cloudstack']]);

/** The same hardware without conversion. */
const withoutDriver = converted(
  [
    ['bios-ext4', 'virtio-blk', 'kvm'],
    ['two-kernels', 'virtio-scsi', 'nutanix'],
    ['netplan', 'nvme', 'vmware'],
    ['network-manager', 'ahci', 'cloudstack'],
    ['ifupdown', 'ide', 'cloudstack'],
    ['dracut', 'virtio-blk', 'kvm'],
    ['xfs-root', 'virtio-scsi', 'nutanix'],
    ['uefi-lvm', 'virtio-blk', 'cloudstack'],
  ],
  { isConverted: false, expected: 'down', note: 'the initramfs lacks the driver of this bus' },
);

const withoutBootEntry = converted([['uefi-no-fallback', 'virtio-scsi', 'nutanix']], {
  isConverted: false,
  expected: 'down',
  note: 'the firmware of a new machine has no boot entry, and the disk no fallback',
});

/** Every cell, quick ones first. */
export const matrixCells: readonly MatrixCell[] = [
  ...quickCells,
  ...moreConverted,
  ...layouts,
  ...encrypted,
  ...withoutDriver,
  ...withoutBootEntry,
];

/** Stable name of a cell. */
export function cellId({ guest, bus, target, isConverted }: MatrixCell): string {
  return `${guest} on ${bus} of ${target}${isConverted ? '' : ', unconverted'}`;
}

/** Stable name of a guest's control: unconverted on the hardware it comes from. */
export function controlId({ name }: Pick<MatrixGuest, 'name'>): string {
  return `${name} on its source hardware`;
}

/** What cannot be a cell, and why. */
export const impossibleCells: readonly { readonly what: string; readonly why: string }[] = [
  {
    what: 'UEFI × pvscsi',
    why: "the emulator's UEFI firmware (OVMF) has no driver for pvscsi, so nothing boots from it",
  },
  { what: 'UEFI × ide', why: 'no platform offers it: machines with UEFI have no parallel bus' },
  { what: 'any × hv_storvsc, xen-blkfront', why: 'the emulator has neither the VMBus nor Xen devices' },
  {
    what: 'address on aws, azure',
    why: 'the emulator has neither ENA nor hv_netvsc: such cells are judged by the marker alone',
  },
  {
    what: 'any × mptspi, mptsas',
    why: 'not a model of the machines that boot tests use; the driver is checked in the initramfs',
  },
];
