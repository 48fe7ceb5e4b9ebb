import { expect, it } from 'vitest';
import type { GuestNeeds, GuestNeedsVariant } from './capability.ts';
import { chooseNeeds } from './chooseNeeds.ts';

const needs: GuestNeeds = {
  linuxStorageModules: [],
  linuxNetworkModules: [],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
};

const variants: readonly GuestNeedsVariant[] = [
  { id: 'old', diskBuses: ['ide', 'scsi'], needs: { ...needs, firmware: ['bios'] } },
  { id: 'new', diskBuses: ['scsi'], needs: { ...needs, firmware: ['uefi'] } },
  { id: 'any', diskBuses: ['nvme'], needs },
];

it.each([
  ['bios', null, 'old'],
  ['bios', 'scsi', 'old'],
  ['uefi', 'scsi', 'new'],
  ['uefi', null, 'new'],
  ['bios', 'nvme', 'any'],
  ['uefi', 'ide', null],
  ['bios', 'floppy', null],
] as const)('%s firmware on bus %s means variant %s', (firmware, diskBus, id) => {
  expect(chooseNeeds(variants, { firmware, diskBus })?.id ?? null).toBe(id);
});
