import { chooseNeeds } from '@ascend/domain';
import { declareNeedsContract } from '@ascend/guest/testing';
import { expect, it } from 'vitest';
import { azureHardware } from './index.ts';

declareNeedsContract('Azure', azureHardware);

it.each([
  ['bios', null, 'gen1', ['hv_vmbus', 'hv_storvsc', 'sd_mod'], ['hv_netvsc']],
  ['uefi', null, 'gen2', ['hv_vmbus', 'hv_storvsc', 'sd_mod'], ['hv_netvsc']],
  ['uefi', 'nvme', 'gen2-nvme', ['hv_vmbus', 'pci_hyperv', 'nvme'], ['hv_netvsc']],
  ['bios', 'nvme', undefined, undefined, undefined],
] as const)('%s on %s is %s with %j and %j', (firmware, diskBus, id, storage, network) => {
  const variant = chooseNeeds(azureHardware.needs, { firmware, diskBus });
  expect([variant?.id, variant?.needs.linuxStorageModules, variant?.needs.linuxNetworkModules]).toEqual([
    id,
    storage,
    network,
  ]);
});

it('lets the platform give the address, and warns of swap on the system disk', () => {
  for (const { needs } of azureHardware.needs) {
    expect(needs).toMatchObject({ networkIdentity: 'platform-dhcp', swap: 'warn-on-system-disk' });
    expect(needs.linuxUnblockedModules).toEqual(['udf', 'vfat']);
  }
});
