import type { HardwareModel, StaticDevice } from '@ascend/domain';

const lsi = (device: string, module: string): StaticDevice => ({
  device,
  modules: [module],
  reason: `the emulator has no ${device} controller that its firmware boots from`,
});

/**
 * QEMU has the paravirtual controller and the vmxnet3 card of this platform. The LSI controllers are looked up in the
 * guest's files; AHCI, which every guest of this platform may have beside them, carries the boot.
 */
export const vmwareHardwareModels: readonly HardwareModel[] = [
  // OVMF has no driver for pvscsi: with UEFI a stand-in takes its place.
  { variant: 'pvscsi', diskBuses: ['pvscsi', 'ahci', 'nvme'], nicModels: ['vmxnet3'], staticOnly: [] },
  {
    variant: 'lsilogic-sas',
    diskBuses: ['ahci', 'pvscsi', 'nvme', 'virtio-scsi'],
    nicModels: ['vmxnet3'],
    staticOnly: [lsi('LSI SAS', 'mptsas')],
  },
  {
    variant: 'lsilogic',
    diskBuses: ['ahci', 'pvscsi', 'nvme', 'virtio-scsi'],
    nicModels: ['vmxnet3'],
    staticOnly: [lsi('LSI parallel', 'mptspi')],
  },
  { variant: 'ahci', diskBuses: ['ahci'], nicModels: ['vmxnet3'], staticOnly: [] },
  { variant: 'nvme', diskBuses: ['nvme'], nicModels: ['vmxnet3'], staticOnly: [] },
  { variant: 'ide', diskBuses: ['ide'], nicModels: ['vmxnet3'], staticOnly: [] },
];
