import { chooseNeeds } from '@ascend/domain';
import { declareNeedsContract } from '@ascend/guest/testing';
import { expect, it } from 'vitest';
import { vmwareHardware } from './index.ts';

declareNeedsContract('VMware', vmwareHardware);

it.each([
  ['bios', null, 'pvscsi', ['vmw_pvscsi', 'sd_mod'], ['vmxnet3']],
  ['uefi', 'pvscsi', 'pvscsi', ['vmw_pvscsi', 'sd_mod'], ['vmxnet3']],
  ['bios', 'lsilogic', 'lsilogic', ['mptspi', 'sd_mod'], ['vmxnet3']],
  ['uefi', 'lsilogic-sas', 'lsilogic-sas', ['mptsas', 'sd_mod'], ['vmxnet3']],
  ['uefi', 'ahci', 'ahci', ['ahci', 'sd_mod'], ['vmxnet3']],
  ['uefi', 'nvme', 'nvme', ['nvme'], ['vmxnet3']],
  ['bios', 'ide', 'ide', ['ata_piix', 'sd_mod'], ['vmxnet3']],
  ['uefi', 'ide', undefined, undefined, undefined],
] as const)('%s on %s is %s with %j and %j', (firmware, diskBus, id, storage, network) => {
  const variant = chooseNeeds(vmwareHardware.needs, { firmware, diskBus });
  expect([variant?.id, variant?.needs.linuxStorageModules, variant?.needs.linuxNetworkModules]).toEqual([
    id,
    storage,
    network,
  ]);
});
