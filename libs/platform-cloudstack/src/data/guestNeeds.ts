import { linuxAgents, type GuestNeeds, type GuestNeedsVariant } from '@ascend/domain';
import { cloudstackWindowsNeeds } from './windowsNeeds.ts';

/**
 * What a CloudStack zone of KVM hosts needs. Modules: virt-v2v's list for KVM, collected 2026-11-20; controllers and cards:
 * `rootDiskController`, `nicAdapter` of deployVirtualMachine, API of 4.22.1, read 2026-11-20.
 */
const common: Omit<GuestNeeds, 'linuxStorageModules'> = {
  linuxNetworkModules: ['virtio_net'],
  linuxOptionalModules: [
    'virtio_blk',
    'virtio_scsi',
    'sd_mod',
    'ahci',
    'ata_piix',
    'virtio_balloon',
    'virtio_console',
  ],
  // Served by "View console" of newer versions and by virsh on the host.
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
  agents: {
    enable: ['qemu-guest-agent'],
    install: [linuxAgents.qemuGuestAgent],
    // Its own password scripts stay: they are the platform's, and harmless without a password server.
    disable: ['open-vm-tools', 'vendor-vm-tools', 'waagent', 'hv-daemons', 'xe-guest-utilities', 'ngt'],
  },
  // The virtual router serves CloudStack; networks without one use a config drive.
  cloudInitDatasources: ['ConfigDrive', 'CloudStack', 'NoCloud', 'None'],
  swap: 'any',
  selinuxRelabel: true,
  firstBootSlot: true,
};

/** By `rootDiskController`: virtio, scsi (virtio-scsi on KVM), sata, ide. */
export const cloudstackGuestNeeds: readonly GuestNeedsVariant[] = [
  {
    id: 'virtio',
    diskBuses: ['virtio'],
    needs: {
      ...common,
      windows: cloudstackWindowsNeeds.virtio,
      linuxStorageModules: ['virtio_pci', 'virtio_blk'],
    },
  },
  {
    id: 'virtio-scsi',
    diskBuses: ['scsi'],
    needs: {
      ...common,
      windows: cloudstackWindowsNeeds['virtio-scsi'],
      linuxStorageModules: ['virtio_pci', 'virtio_scsi', 'sd_mod'],
    },
  },
  {
    id: 'sata',
    diskBuses: ['sata'],
    needs: {
      ...common,
      windows: cloudstackWindowsNeeds.sata,
      linuxStorageModules: ['ahci', 'sd_mod', 'virtio_pci'],
    },
  },
  {
    // The q35 machine that UEFI needs has no IDE.
    id: 'ide',
    diskBuses: ['ide'],
    needs: {
      ...common,
      windows: cloudstackWindowsNeeds.ide,
      linuxStorageModules: ['ata_piix', 'sd_mod', 'virtio_pci'],
      firmware: ['bios'],
    },
  },
];
