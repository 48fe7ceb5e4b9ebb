import { describe, expect, it } from 'vitest';
import { targetGuest, codes, planTarget } from '../testing/targetPlan.ts';
import { planEfiFallback } from './planEfiFallback.ts';

const needs = {
  linuxStorageModules: [],
  linuxNetworkModules: [],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
} as const;

function plan(programs: readonly string[], change: Partial<typeof targetGuest> = {}) {
  const esp = { diskIndex: 0, offsetBytes: 1_048_576, sizeBytes: 67_108_864, programs };
  return planEfiFallback({ ...targetGuest, firmware: 'uefi', esp, ...change }, needs);
}

function copies(programs: readonly string[], change: Partial<typeof targetGuest> = {}): readonly string[] {
  return plan(programs, change).edits.map((edit) =>
    edit.kind === 'copy-efi-file' ? `${edit.from} > ${edit.to}` : edit.kind,
  );
}

describe('the boot program for firmware without entries', () => {
  it.each([
    [
      'shim with what it starts',
      ['EFI/debian/shimx64.efi', 'EFI/debian/grubx64.efi', 'EFI/debian/mmx64.efi', 'EFI/debian/fbx64.efi'],
      [
        'EFI/debian/grubx64.efi > EFI/BOOT/grubx64.efi',
        'EFI/debian/mmx64.efi > EFI/BOOT/mmx64.efi',
        'EFI/debian/shimx64.efi > EFI/BOOT/BOOTX64.EFI',
      ],
    ],
    [
      'GRUB alone, whatever the case of its name',
      ['EFI/DEBIAN/GRUBX64.EFI'],
      ['EFI/DEBIAN/GRUBX64.EFI > EFI/BOOT/BOOTX64.EFI'],
    ],
    [
      "the distribution's own before another's shim",
      ['EFI/ubuntu/shimx64.efi', 'EFI/ubuntu/grubx64.efi', 'EFI/debian/grubx64.efi'],
      ['EFI/debian/grubx64.efi > EFI/BOOT/BOOTX64.EFI'],
    ],
    [
      'systemd-boot',
      ['EFI/systemd/systemd-bootx64.efi'],
      ['EFI/systemd/systemd-bootx64.efi > EFI/BOOT/BOOTX64.EFI'],
    ],
  ])('is %s', (_what, programs, expected) => {
    expect(copies(programs)).toEqual(expected);
    expect(codes(plan(programs))).toEqual(['fixed GUEST_EFI_FALLBACK_ABSENT']);
  });

  it('has the name of the architecture', () => {
    expect(copies(['EFI/debian/grubaa64.efi'], { arch: 'aarch64' })).toEqual([
      'EFI/debian/grubaa64.efi > EFI/BOOT/BOOTAA64.EFI',
    ]);
  });

  it('finds the folder of a vendor that is called otherwise', () => {
    const programs = ['EFI/fedora/shimx64.efi', 'EFI/redhat/grubx64.efi'];
    expect(copies(programs, { distribution: 'rhel' })).toEqual([
      'EFI/redhat/grubx64.efi > EFI/BOOT/BOOTX64.EFI',
    ]);
  });

  it.each([
    ['is there', { programs: ['EFI/debian/grubx64.efi', 'EFI/Boot/bootx64.efi'] }],
    ['is not needed by a BIOS layout', { programs: ['EFI/debian/grubx64.efi'], firmware: 'bios' as const }],
    ['cannot be named', { programs: ['EFI/debian/grubx64.efi'], arch: 'riscv64' }],
  ])('is left alone where it %s', (_why, { programs, ...change }) => {
    expect(plan(programs, change)).toEqual({ edits: [], findings: [] });
  });

  it('is a warning where no loader is known', () => {
    const result = plan(['EFI/tools/memtest.efi']);
    expect(result.edits).toEqual([]);
    expect(codes(result)).toEqual(['warning GUEST_EFI_FALLBACK_ABSENT']);
    expect(result.findings[0]?.evidence).toBe('EFI/tools/memtest.efi');
  });

  it('is planned for a guest that needs nothing else', () => {
    const esp = { diskIndex: 0, offsetBytes: 0, sizeBytes: 1, programs: ['EFI/debian/grubx64.efi'] };
    const { edits } = planTarget({ guest: { firmware: 'uefi', esp } });
    expect(edits.map(({ kind }) => kind)).toEqual(['copy-efi-file']);
  });
});
