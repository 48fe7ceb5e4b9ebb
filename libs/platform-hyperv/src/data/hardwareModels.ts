import type { HardwareModel, StaticDevice } from '@ascend/domain';

const vmbus: StaticDevice = {
  device: 'VMBus with its synthetic disk and network card',
  modules: ['hv_vmbus', 'hv_storvsc', 'hv_netvsc'],
  reason: 'the VMBus exists under Hyper-V alone; disks and cards the guest also knows take their place',
};

const nicModels = ['virtio-net-pci', 'e1000e', 'vmxnet3'];

/** Nothing a Linux guest drives here is emulated: kernel, initramfs, file systems and network settings are shown by stand-ins. */
export const hypervHardwareModels: readonly HardwareModel[] = [
  {
    variant: 'gen1',
    diskBuses: ['ide', 'ahci', 'virtio-scsi', 'pvscsi', 'virtio-blk', 'nvme'],
    nicModels,
    staticOnly: [vmbus],
  },
  {
    variant: 'gen2',
    diskBuses: ['ahci', 'virtio-scsi', 'virtio-blk', 'nvme'],
    nicModels,
    staticOnly: [vmbus],
  },
];
