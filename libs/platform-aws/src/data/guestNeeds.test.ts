import { chooseNeeds } from '@ascend/domain';
import { declareNeedsContract } from '@ascend/guest/testing';
import { expect, it } from 'vitest';
import { awsHardware } from './index.ts';

declareNeedsContract('AWS', awsHardware);

it.each([
  ['uefi', null, 'nitro', ['nvme'], ['ena']],
  ['bios', 'nvme', 'nitro', ['nvme'], ['ena']],
  ['bios', 'xen-blk', 'xen', ['xen_blkfront'], ['xen_netfront']],
  ['uefi', 'xen-blk', undefined, undefined, undefined],
] as const)('%s on %s is %s with %j and %j', (firmware, diskBus, id, storage, network) => {
  const variant = chooseNeeds(awsHardware.needs, { firmware, diskBus });
  expect([variant?.id, variant?.needs.linuxStorageModules, variant?.needs.linuxNetworkModules]).toEqual([
    id,
    storage,
    network,
  ]);
});

it('lets the platform give the address, and knows the Xen card by the name of its driver', () => {
  expect(awsHardware.needs.map(({ needs }) => needs.networkIdentity)).toEqual([
    'platform-dhcp',
    'platform-dhcp',
  ]);
  expect(awsHardware.needs.find(({ id }) => id === 'xen')?.needs.nicDrivers).toContain('vif');
});
