import type { GuestFacts, GuestNeeds, HardwareModel } from '@ascend/domain';
import { expect, it } from 'vitest';
import { checkDrivers, chooseRehearsal } from './emulatedDevices.ts';

function guestWith(initramfs: readonly string[], shipped: readonly string[] = []): GuestFacts {
  return {
    family: 'linux',
    distribution: 'debian',
    version: '12',
    arch: 'x86_64',
    hostname: null,
    root: null,
    firmware: 'bios',
    initramfsTool: 'none',
    kernels: [
      {
        version: '6.1.0',
        initramfsPath: '/boot/initrd.img-6.1.0',
        initramfsModules: initramfs,
        availableModules: [...initramfs, ...shipped],
        builtinModules: ['sd_mod'],
      },
      // A leftover without an image is never booted.
      { version: '5.10.0', initramfsPath: null, initramfsModules: [], availableModules: [] },
    ],
    nics: [],
    remarks: [],
  };
}

const synthetic: HardwareModel = {
  variant: 'synthetic',
  diskBuses: ['ahci', 'pvscsi', 'nvme'],
  nicModels: ['virtio-net-pci', 'vmxnet3'],
  staticOnly: [{ device: 'synthetic disk', modules: ['syn_disk'], reason: 'no emulator has it at all' }],
};
const paravirtual: HardwareModel = {
  variant: 'paravirtual',
  diskBuses: ['pvscsi', 'ahci'],
  nicModels: ['vmxnet3'],
  staticOnly: [],
};

it.each([
  [
    'the first stand-in the guest boots from',
    synthetic,
    ['vmw_pvscsi'],
    ['vmxnet3'],
    'bios',
    'pvscsi',
    'vmxnet3',
  ],
  [
    'the first when the guest has drivers for none',
    synthetic,
    ['ext4'],
    [],
    'bios',
    'ahci',
    'virtio-net-pci',
  ],
  [
    'no stand-in for a device that is emulated: its driver is missing, and that must show',
    paravirtual,
    ['ahci'],
    ['vmxnet3'],
    'bios',
    'pvscsi',
    'vmxnet3',
  ],
  [
    'another controller where the firmware cannot boot the own one',
    paravirtual,
    ['ahci', 'vmw_pvscsi'],
    ['vmxnet3'],
    'uefi',
    'ahci',
    'vmxnet3',
  ],
] as const)('takes %s', (_what, model, initramfs, shipped, firmware, bus, nicModel) => {
  const chosen = chooseRehearsal(model, guestWith(initramfs, shipped), firmware);
  expect([chosen.bus, chosen.nicModel]).toEqual([bus, nicModel]);
});

it('names everything that is not shown, with the reason', () => {
  const uefi = chooseRehearsal(paravirtual, guestWith(['ahci']), 'uefi');
  expect(uefi.standIns).toEqual([
    "pvscsi controller: the emulator's UEFI firmware has no driver for it; another controller takes its place",
  ]);
  expect(chooseRehearsal(paravirtual, guestWith(['vmw_pvscsi']), 'bios').standIns).toEqual([]);
  expect(chooseRehearsal(synthetic, guestWith(['ahci']), 'bios').staticOnly).toEqual(synthetic.staticOnly);
});

it('looks up the drivers: disks must be known before the root is there, cards may wait for it', () => {
  const needs: GuestNeeds = {
    linuxStorageModules: ['syn_disk', 'sd_mod', 'nvme'],
    linuxNetworkModules: ['vmxnet3', 'ena'],
    linuxOptionalModules: [],
    serialConsole: null,
    networkIdentity: 'pin-by-mac',
  };
  const guest = guestWith(['syn_disk'], ['nvme', 'vmxnet3']);
  expect(checkDrivers(guest, needs, synthetic.staticOnly)).toEqual([
    { module: 'syn_disk', found: 'initramfs', ok: true, emulated: false },
    { module: 'sd_mod', found: 'initramfs', ok: true, emulated: true },
    { module: 'nvme', found: 'shipped', ok: false, emulated: true },
    { module: 'vmxnet3', found: 'shipped', ok: true, emulated: true },
    { module: 'ena', found: 'missing', ok: false, emulated: true },
  ]);
  expect(checkDrivers({ ...guest, family: 'windows' }, needs, [])).toEqual([]);
});
