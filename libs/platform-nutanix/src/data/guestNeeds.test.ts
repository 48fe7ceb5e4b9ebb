import { chooseNeeds } from '@ascend/domain';
import { declareNeedsContract } from '@ascend/guest/testing';
import { expect, it } from 'vitest';
import { nutanixHardware } from './index.ts';

declareNeedsContract('Nutanix', nutanixHardware);

it.each([
  ['uefi', null, 'scsi', ['virtio_pci', 'virtio_scsi', 'sd_mod'], ['virtio_net']],
  ['bios', 'pci', 'pci', ['virtio_pci', 'virtio_blk'], ['virtio_net']],
  ['uefi', 'sata', 'sata', ['ahci', 'sd_mod', 'virtio_pci'], ['virtio_net']],
  ['uefi', 'ide', undefined, undefined, undefined],
] as const)('%s on %s is %s with %j and %j', (firmware, diskBus, id, storage, network) => {
  const variant = chooseNeeds(nutanixHardware.needs, { firmware, diskBus });
  expect([variant?.id, variant?.needs.linuxStorageModules, variant?.needs.linuxNetworkModules]).toEqual([
    id,
    storage,
    network,
  ]);
});
