import { chooseNeeds } from '@ascend/domain';
import { declareNeedsContract } from '@ascend/guest/testing';
import { expect, it } from 'vitest';
import { hypervHardware } from './index.ts';

declareNeedsContract('Hyper-V', hypervHardware);

it.each([
  ['bios', null, 'gen1', ['hv_vmbus', 'hv_storvsc', 'sd_mod'], ['hv_netvsc']],
  ['uefi', null, 'gen2', ['hv_vmbus', 'hv_storvsc', 'sd_mod'], ['hv_netvsc']],
  ['bios', 'scsi', 'gen1', ['hv_vmbus', 'hv_storvsc', 'sd_mod'], ['hv_netvsc']],
  ['uefi', 'ide', undefined, undefined, undefined],
] as const)('%s on %s is %s with %j and %j', (firmware, diskBus, id, storage, network) => {
  const variant = chooseNeeds(hypervHardware.needs, { firmware, diskBus });
  expect([variant?.id, variant?.needs.linuxStorageModules, variant?.needs.linuxNetworkModules]).toEqual([
    id,
    storage,
    network,
  ]);
});
