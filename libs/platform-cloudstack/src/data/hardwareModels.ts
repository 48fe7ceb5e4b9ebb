import type { HardwareModel } from '@ascend/domain';

/** The platform runs QEMU: its devices are the emulator's own. */
export const cloudstackHardwareModels: readonly HardwareModel[] = [
  { variant: 'virtio', diskBuses: ['virtio-blk'], nicModels: ['virtio-net-pci'], staticOnly: [] },
  { variant: 'virtio-scsi', diskBuses: ['virtio-scsi'], nicModels: ['virtio-net-pci'], staticOnly: [] },
  { variant: 'sata', diskBuses: ['ahci'], nicModels: ['virtio-net-pci'], staticOnly: [] },
  { variant: 'ide', diskBuses: ['ide'], nicModels: ['virtio-net-pci'], staticOnly: [] },
];
