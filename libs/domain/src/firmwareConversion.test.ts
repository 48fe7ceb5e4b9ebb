import { describe, expect, it } from 'vitest';
import type { BootDiskFacts } from './bootDisk.ts';
import type { GuestFacts } from './facts.ts';
import { convertFirmware, needsLoader } from './firmwareConversion.ts';

const menu = {
  path: '/boot/grub/grub.cfg',
  uuid: '6d1c7a1e-3b52-4d0e-9a55-0a5c3e6d0001',
  fileSystem: 'ext4',
  stacked: false,
  diskIndex: 0,
  offsetBytes: 1_048_576,
  sizeBytes: 1_073_741_824,
};

const disk: BootDiskFacts = {
  diskIndex: 0,
  sizeBytes: 2_147_483_648,
  scheme: 'mbr',
  freeAreas: [{ firstSector: 1, sectors: 2047 }],
  freeNumber: 2,
  biosBoot: null,
  obstacle: null,
  menu,
  menuObstacle: null,
};

const gpt: BootDiskFacts = { ...disk, scheme: 'gpt', freeAreas: [{ firstSector: 34, sectors: 2014 }] };
const esp = { diskIndex: 0, offsetBytes: 1_048_576, sizeBytes: 67_108_864, programs: [] };

function guest(bootDisk: BootDiskFacts | null, changes: Partial<GuestFacts> = {}): GuestFacts {
  return {
    family: 'linux',
    distribution: 'debian',
    version: '12',
    arch: 'x86_64',
    hostname: null,
    root: { diskIndex: 0, offsetBytes: 1_048_576, sizeBytes: 1_073_741_824, fileSystem: 'ext4' },
    firmware: 'bios',
    initramfsTool: 'none',
    kernels: [],
    nics: [],
    remarks: [],
    bootDisk,
    ...changes,
  };
}

describe('where a boot loader for another firmware goes', () => {
  it('BIOS to UEFI on a full MBR disk: before the first partition, behind the old loader', () => {
    expect(convertFirmware(guest(disk), 'uefi').place).toMatchObject({
      area: { firstSector: 128, sectors: 1920 },
      newPartition: 2,
    });
  });

  it('BIOS to UEFI with room: the last free area, on whole MiB, at most 64 of them', () => {
    const freeAreas = [
      { firstSector: 1, sectors: 2047 },
      { firstSector: 100_001, sectors: 300_000 },
      { firstSector: 500_000, sectors: 70_000 },
    ];
    expect(convertFirmware(guest({ ...disk, freeAreas }), 'uefi').place?.area).toEqual({
      firstSector: 100_352,
      sectors: 131_072,
    });
  });

  it('BIOS to UEFI where an EFI system partition is there: nothing is added', () => {
    expect(convertFirmware(guest(disk, { esp }), 'uefi').place).toMatchObject({
      area: { firstSector: 2048, sectors: 131_072 },
      newPartition: null,
    });
  });

  it('UEFI to BIOS: the gap behind the MBR, a BIOS boot partition that is there, or a new one', () => {
    expect(convertFirmware(guest(disk), 'bios').place).toMatchObject({
      area: { firstSector: 1, sectors: 2047 },
      newPartition: null,
    });
    const biosBoot = { firstSector: 40, sectors: 2000 };
    expect(convertFirmware(guest({ ...gpt, biosBoot }), 'bios').place).toMatchObject({
      area: biosBoot,
      newPartition: null,
    });
    expect(convertFirmware(guest(gpt), 'bios').place).toMatchObject({
      area: { firstSector: 34, sectors: 2014 },
      newPartition: 2,
    });
  });

  it.each<[string, GuestFacts, 'bios' | 'uefi', RegExp]>([
    ['Windows', guest(disk, { family: 'windows' }), 'uefi', /windows guest/],
    ['another architecture', guest(disk, { arch: 'aarch64' }), 'uefi', /aarch64/],
    ['an unknown architecture', guest(disk, { arch: null }), 'uefi', /architecture/],
    ['an unknown boot disk', guest(null), 'uefi', /is not known/],
    ['no menu of GRUB', guest({ ...disk, menu: null, menuObstacle: 'why' }), 'uefi', /^why$/],
    ['no menu and no reason', guest({ ...disk, menu: null }), 'uefi', /no menu/],
    ['no partition table', guest({ ...disk, scheme: 'none' }), 'uefi', /no partition table/],
    ['a damaged table', guest({ ...gpt, obstacle: 'damaged' }), 'uefi', /^damaged$/],
    ['a damaged table, the other way', guest({ ...gpt, obstacle: 'damaged' }), 'bios', /^damaged$/],
    ['a full table', guest({ ...disk, freeNumber: null }), 'uefi', /no entry left/],
    ['a full table, the other way', guest({ ...gpt, freeNumber: null }), 'bios', /no entry left/],
    ['no room', guest({ ...disk, freeAreas: [{ firstSector: 1, sectors: 62 }] }), 'uefi', /has 31 KiB/],
    [
      'no room in a gap',
      guest({ ...disk, freeAreas: [{ firstSector: 1, sectors: 62 }] }),
      'bios',
      /has 31 KiB/,
    ],
    [
      'no gap',
      guest({ ...disk, freeAreas: [{ firstSector: 9000, sectors: 9000 }] }),
      'bios',
      /before its first/,
    ],
    ['no room at all', guest({ ...gpt, freeAreas: [] }), 'bios', /has 0 KiB/],
    ['a tiny EFI partition', guest(disk, { esp: { ...esp, sizeBytes: 4096 } }), 'uefi', /too small/],
  ])('is nowhere with %s, and the reason is told', (_what, facts, to, reason) => {
    const { place, obstacle } = convertFirmware(facts, to);
    expect(place).toBeNull();
    expect(obstacle).toMatch(reason);
  });
});

it('a loader is needed for the firmware the disks are not laid out for, and on an EFI partition without programs', () => {
  expect(needsLoader(guest(disk), 'uefi')).toBe(true);
  expect(needsLoader(guest(disk), 'bios')).toBe(false);
  expect(needsLoader(guest(disk, { firmware: 'uefi' }), 'bios')).toBe(true);
  expect(needsLoader(guest(disk, { firmware: 'unknown' }), 'uefi')).toBe(false);
  expect(needsLoader(guest(disk, { firmware: 'unknown', esp }), 'uefi')).toBe(true);
  expect(needsLoader(guest(disk, { firmware: 'unknown', esp }), 'bios')).toBe(false);
  const filled = { ...esp, programs: ['EFI/BOOT/BOOTX64.EFI'] };
  expect(needsLoader(guest(disk, { firmware: 'unknown', esp: filled }), 'uefi')).toBe(false);
});
