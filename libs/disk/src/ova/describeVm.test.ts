import type { VmSpec } from '@ascend/domain';
import { expect, test } from 'vitest';
import { describeVm } from './describeVm.ts';
import { checkVmDescription } from './vmDescription.ts';

const gib = 1024 ** 3;

function specOf(more: Partial<VmSpec> = {}): VmSpec {
  return {
    name: 'web',
    cpuCount: 2,
    coresPerSocket: null,
    memoryBytes: gib,
    firmware: 'bios',
    secureBoot: false,
    tpm: false,
    disks: [],
    nics: [],
    osId: null,
    notes: null,
    tags: {},
    ...more,
  };
}

test.each([
  ['debian12', 96, 'debian10_64Guest', 'VirtualSCSI'],
  ['ubuntu-24.04', 94, 'ubuntu64Guest', 'VirtualSCSI'],
  ['rocky9', 101, 'otherLinux64Guest', 'VirtualSCSI'],
  ['windows-server-2022', 102, 'windows9Server64Guest', 'lsilogicsas'],
  ['Windows11', 102, 'windows9_64Guest', 'lsilogicsas'],
  ['plan9', 102, 'otherGuest64', 'VirtualSCSI'],
  [null, 102, 'otherGuest64', 'VirtualSCSI'],
] as const)(
  'the guest %s is described by numbers that an importer knows',
  (osId, cimId, guestId, scsiModel) => {
    const { vm } = describeVm(specOf({ osId }), [gib]);
    expect(vm).toMatchObject({ os: { cimId, guestId }, scsiModel });
    checkVmDescription(vm);
  },
);

test('network interfaces come in their order, with a model that the guest can have', () => {
  const nic = { mac: null, network: null, model: null, addresses: [] };
  const nics = [
    { ...nic, nicIndex: 1, network: 'lan' },
    { ...nic, nicIndex: 0, model: 'e1000' },
  ];
  const { vm } = describeVm(specOf({ nics, osId: 'windows10' }), [gib]);
  expect(vm.nics).toEqual([
    { network: 'VM Network', mac: null, model: 'E1000' },
    { network: 'lan', mac: null, model: 'E1000e' },
  ]);
});

test('disks have the sizes of their chains; where the specification says another, and a TPM, are told', () => {
  const disk = { bus: 'pvscsi', bootOrder: null, vmwareDiskKey: null };
  const disks = [
    { ...disk, diskIndex: 1, sizeBytes: 2 * gib },
    { ...disk, diskIndex: 0, sizeBytes: gib },
  ];
  const { vm, remarks } = describeVm(specOf({ disks, tpm: true }), [gib, 3 * gib]);
  expect(vm.disks).toEqual([{ sizeBytes: gib }, { sizeBytes: 3 * gib }]);
  expect(remarks).toEqual([
    expect.stringContaining(`disk 2 is described with ${3 * gib}`),
    expect.stringContaining('TPM'),
    expect.stringContaining('drivers'),
  ]);
  expect(() => describeVm(specOf({ disks }), [gib])).toThrow('names 2 disks, 1 are given');
});
