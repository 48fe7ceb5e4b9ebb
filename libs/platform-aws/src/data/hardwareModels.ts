import type { HardwareModel } from '@ascend/domain';

/** Nitro's NVMe disks are emulated; its cards and all of Xen are not. */
export const awsHardwareModels: readonly HardwareModel[] = [
  {
    variant: 'nitro',
    diskBuses: ['nvme'],
    nicModels: ['virtio-net-pci', 'e1000e', 'vmxnet3'],
    staticOnly: [
      {
        device: 'ENA network card',
        modules: ['ena'],
        reason: 'no emulator has the Elastic Network Adapter; another card takes its place',
      },
    ],
  },
  {
    variant: 'xen',
    diskBuses: ['virtio-blk', 'ahci', 'nvme', 'pvscsi', 'virtio-scsi', 'ide'],
    nicModels: ['virtio-net-pci', 'e1000e', 'vmxnet3'],
    staticOnly: [
      {
        device: 'Xen disk and network card',
        modules: ['xen_blkfront', 'xen_netfront'],
        reason:
          'Xen devices exist under a Xen hypervisor alone; disks and cards the guest also knows take their place',
      },
    ],
  },
];
