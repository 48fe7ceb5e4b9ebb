import type { HardwareModel, StaticDevice } from '@ascend/domain';

const vmbus: StaticDevice = {
  device: 'VMBus with its synthetic disk and network card',
  modules: ['hv_vmbus', 'hv_storvsc', 'hv_netvsc'],
  reason: 'the VMBus exists under Hyper-V alone; disks and cards the guest also knows take their place',
};

const diskBuses = ['ahci', 'virtio-scsi', 'pvscsi', 'virtio-blk', 'nvme', 'ide'];
const nicModels = ['virtio-net-pci', 'e1000e', 'vmxnet3'];

/** Only the NVMe disks of new sizes are emulated, and without the VMBus they hang on. */
export const azureHardwareModels: readonly HardwareModel[] = [
  { variant: 'gen1', diskBuses, nicModels, staticOnly: [vmbus] },
  { variant: 'gen2', diskBuses, nicModels, staticOnly: [vmbus] },
  {
    variant: 'gen2-nvme',
    diskBuses: ['nvme'],
    nicModels,
    staticOnly: [{ ...vmbus, modules: ['hv_vmbus', 'pci_hyperv', 'hv_netvsc'] }],
  },
];
