import { chooseNeeds } from '@ascend/domain';
import { declareNeedsContract } from '@ascend/guest/testing';
import { expect, it } from 'vitest';
import { cloudstackHardware } from './index.ts';

declareNeedsContract('CloudStack', cloudstackHardware);

it.each([
  ['bios', null, 'virtio', ['virtio_pci', 'virtio_blk'], ['virtio_net']],
  ['uefi', 'scsi', 'virtio-scsi', ['virtio_pci', 'virtio_scsi', 'sd_mod'], ['virtio_net']],
  ['uefi', 'sata', 'sata', ['ahci', 'sd_mod', 'virtio_pci'], ['virtio_net']],
  ['bios', 'ide', 'ide', ['ata_piix', 'sd_mod', 'virtio_pci'], ['virtio_net']],
  ['uefi', 'ide', undefined, undefined, undefined],
] as const)('%s on %s is %s with %j and %j', (firmware, diskBus, id, storage, network) => {
  const variant = chooseNeeds(cloudstackHardware.needs, { firmware, diskBus });
  expect([variant?.id, variant?.needs.linuxStorageModules, variant?.needs.linuxNetworkModules]).toEqual([
    id,
    storage,
    network,
  ]);
});
