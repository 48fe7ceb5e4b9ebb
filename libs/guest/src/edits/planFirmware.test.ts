import type { BootDiskFacts, GuestFacts } from '@ascend/domain';
import { expect, it } from 'vitest';
import { codes, planTarget, short, targetGuest } from '../testing/targetPlan.ts';

const bootDisk: BootDiskFacts = {
  diskIndex: 0,
  sizeBytes: 2_147_483_648,
  scheme: 'mbr',
  freeAreas: [
    { firstSector: 1, sectors: 2047 },
    { firstSector: 2_097_152, sectors: 2_097_152 },
  ],
  freeNumber: 2,
  biosBoot: null,
  obstacle: null,
  menu: {
    path: '/boot/grub/grub.cfg',
    uuid: '6d1c7a1e-3b52-4d0e-9a55-0a5c3e6d0001',
    fileSystem: 'ext4',
    stacked: false,
    diskIndex: 0,
    offsetBytes: 1_048_576,
    sizeBytes: 1_073_741_824,
  },
  menuObstacle: null,
};
const guest: Partial<GuestFacts> = { ...targetGuest, bootDisk };

it('a target without the firmware of the disks gets a boot loader, as the last edit', () => {
  const plan = planTarget({ guest, needs: { firmware: ['uefi'] } });
  expect(codes(plan)).toContain('fixed GUEST_FIRMWARE_CONVERTED');
  expect(short(plan.edits).at(-1)).toBe('convert-firmware boot loader of disk 0');
});

it('a firmware that is asked for is converted to where the target has both, and nothing happens without asking', () => {
  expect(short(planTarget({ guest, firmware: 'uefi' }).edits)).toContain(
    'convert-firmware boot loader of disk 0',
  );
  expect(short(planTarget({ guest }).edits)).not.toContain('convert-firmware boot loader of disk 0');
  expect(short(planTarget({ guest, firmware: 'bios' }).edits)).not.toContain(
    'convert-firmware boot loader of disk 0',
  );
});

it('a small EFI partition is worth a warning', () => {
  const small = { ...bootDisk, freeAreas: [{ firstSector: 1, sectors: 2047 }] };
  const plan = planTarget({ guest: { ...guest, bootDisk: small }, firmware: 'uefi' });
  expect(codes(plan)).toContain('warning GUEST_ESP_SMALL');
});

it('a firmware that the target does not have, and a layout that forbids it, block with the reason and without edits', () => {
  const without = planTarget({ guest, firmware: 'uefi', needs: { firmware: ['bios'] } });
  expect(codes(without)).toEqual(['blocked GUEST_FIRMWARE_UNSUPPORTED']);
  const full = { ...bootDisk, freeNumber: null };
  const plan = planTarget({ guest: { ...guest, bootDisk: full }, firmware: 'uefi' });
  expect(plan.edits).toEqual([]);
  expect(plan.findings).toMatchObject([
    { code: 'GUEST_FIRMWARE_UNSUPPORTED', evidence: expect.stringContaining('no entry left') },
  ]);
});
