import type { GuestNeeds, GuestNeedsVariant } from '@ascend/domain';
import { nutanixWindowsNeeds } from './windowsNeeds.ts';

/**
 * What AHV needs: disks on virtio-scsi, cards virtio (public migration guides, collected 2026-11-20; not verified against
 * a page of the vendor).
 */
const common: Omit<GuestNeeds, 'linuxStorageModules'> = {
  linuxNetworkModules: ['virtio_net'],
  linuxOptionalModules: [
    'virtio_scsi',
    'sd_mod',
    'virtio_blk',
    'ahci',
    'e1000',
    'virtio_balloon',
    'virtio_console',
  ],
  // `serial_port_list` of a VM; the tools of the guest talk over a serial port of their own.
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
  agents: {
    enable: ['ngt', 'qemu-guest-agent'],
    // File names as the vendor's image has them are not verified; an operator may call a package `ngt-…`.
    install: [
      {
        id: 'ngt',
        packages: {
          deb: String.raw`(?:ngt|nutanix-guest-(?:agent|tools))[_-][\w.+~%:-]+\.deb`,
          rpm: String.raw`(?:ngt|nutanix-guest-(?:agent|tools))-\d[\w.+~^-]*\.rpm`,
        },
        services: ['ngt_guest_agent.service'],
      },
    ],
    disable: [
      'open-vm-tools',
      'vendor-vm-tools',
      'waagent',
      'hv-daemons',
      'xe-guest-utilities',
      'cloud-set-guest',
    ],
  },
  // Guest customisation is an ISO in the form of OpenStack's config drive.
  cloudInitDatasources: ['ConfigDrive', 'NoCloud', 'None'],
  swap: 'any',
  selinuxRelabel: true,
  firstBootSlot: true,
};

/** By `adapter_type` of a disk: SCSI (the default), SATA, IDE, PCI (virtio-blk). Secure Boot and UEFI know no IDE (Q35). */
export const nutanixGuestNeeds: readonly GuestNeedsVariant[] = [
  {
    id: 'scsi',
    diskBuses: ['scsi'],
    needs: {
      ...common,
      windows: nutanixWindowsNeeds.scsi,
      linuxStorageModules: ['virtio_pci', 'virtio_scsi', 'sd_mod'],
    },
  },
  {
    id: 'pci',
    diskBuses: ['pci'],
    needs: { ...common, windows: nutanixWindowsNeeds.pci, linuxStorageModules: ['virtio_pci', 'virtio_blk'] },
  },
  {
    id: 'sata',
    diskBuses: ['sata'],
    needs: {
      ...common,
      windows: nutanixWindowsNeeds.sata,
      linuxStorageModules: ['ahci', 'sd_mod', 'virtio_pci'],
    },
  },
  {
    id: 'ide',
    diskBuses: ['ide'],
    needs: {
      ...common,
      windows: nutanixWindowsNeeds.ide,
      linuxStorageModules: ['ata_piix', 'sd_mod', 'virtio_pci'],
      firmware: ['bios'],
    },
  },
];
