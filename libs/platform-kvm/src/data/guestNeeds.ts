import { linuxAgents, type GuestNeeds, type GuestNeedsVariant } from '@ascend/domain';
import { kvmWindowsNeeds } from './windowsNeeds.ts';

/** What QEMU's hardware needs inside a guest, whatever the disk bus. */
const common: Omit<GuestNeeds, 'linuxStorageModules'> = {
  linuxNetworkModules: ['virtio_net'],
  // The other buses that an operator may choose, and what makes a guest comfortable.
  linuxOptionalModules: [
    'virtio_blk',
    'virtio_scsi',
    'sd_mod',
    'ahci',
    'nvme',
    'virtio_balloon',
    'virtio_console',
  ],
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
  agents: {
    enable: ['qemu-guest-agent'],
    install: [linuxAgents.qemuGuestAgent],
    disable: [
      'open-vm-tools',
      'vendor-vm-tools',
      'waagent',
      'hv-daemons',
      'xe-guest-utilities',
      'ngt',
      'cloud-set-guest',
    ],
  },
  cloudInitDatasources: ['NoCloud', 'ConfigDrive', 'None'],
};

function onBus(
  bus: keyof typeof kvmWindowsNeeds,
  linuxStorageModules: readonly string[],
  more: Partial<GuestNeeds> = {},
): GuestNeedsVariant {
  const needs: GuestNeeds = { ...common, linuxStorageModules, windows: kvmWindowsNeeds[bus], ...more };
  return { id: bus, diskBuses: [bus], needs };
}

/** By disk bus of the QEMU machine. The SCSI disk driver is a module of its own in Debian's kernels. */
export const kvmGuestNeeds: readonly GuestNeedsVariant[] = [
  onBus('virtio-blk', ['virtio_pci', 'virtio_blk']),
  onBus('virtio-scsi', ['virtio_pci', 'virtio_scsi', 'sd_mod']),
  onBus('nvme', ['nvme']),
  onBus('ahci', ['ahci', 'sd_mod']),
  onBus('ide', ['ata_piix', 'sd_mod']),
  // OVMF has no driver for the controller.
  onBus('pvscsi', ['vmw_pvscsi', 'sd_mod'], { firmware: ['bios'] }),
];
