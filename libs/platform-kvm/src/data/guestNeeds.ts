import type { GuestNeeds } from '@ascend/domain';

/** What QEMU's default hardware (virtio-blk, virtio-net) needs inside a Linux guest. */
export const kvmGuestNeeds: GuestNeeds = {
  linuxStorageModules: ['virtio_pci', 'virtio_blk'],
  linuxNetworkModules: ['virtio_net'],
  // The other buses that an operator may choose, and what makes a guest comfortable.
  linuxOptionalModules: ['virtio_scsi', 'sd_mod', 'ahci', 'nvme', 'virtio_balloon', 'virtio_console'],
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
  agents: {
    enable: ['qemu-guest-agent'],
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
