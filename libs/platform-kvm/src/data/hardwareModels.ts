import type { HardwareModel } from '@ascend/domain';

/** Every device of this platform is the emulator's own: nothing is left to be looked up in files alone. */
export const kvmHardwareModels: readonly HardwareModel[] = [
  'virtio-blk',
  'virtio-scsi',
  'nvme',
  'ahci',
  'ide',
  'pvscsi',
].map((bus) => ({ variant: bus, diskBuses: [bus], nicModels: ['virtio-net-pci'], staticOnly: [] }));
