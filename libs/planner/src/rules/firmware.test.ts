import type { BootDiskFacts, Firmware, RestorePlan } from '@ascend/domain';
import { describe, expect, test } from 'vitest';
import type { PlanParams } from '../params.ts';
import { planRestore } from '../planRestore.ts';
import { sampleSpec, withCapabilities, withGuest, withNeeds } from '../testing/sampleParams.ts';

const bootDisk: BootDiskFacts = {
  diskIndex: 0,
  sizeBytes: 2_147_483_648,
  scheme: 'mbr',
  freeAreas: [{ firstSector: 1, sectors: 2047 }],
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

/** A guest made for one firmware, and a platform that has only the other. */
function other(from: Firmware, disk: BootDiskFacts = bootDisk): PlanParams {
  const to: Firmware = from === 'bios' ? 'uefi' : 'bios';
  const spec = { ...sampleSpec, firmware: from, secureBoot: true };
  const made = withGuest({ firmware: from, bootDisk: disk });
  const limited = withCapabilities({ firmware: [to] }, { facts: made.facts, vmSpec: spec });
  return withNeeds(limited, { firmware: [to] });
}

function refusals(plan: RestorePlan): string {
  return plan.findings
    .filter(({ code, severity }) => code === 'PLAN_FIRMWARE_UNSUPPORTED' && severity === 'blocked')
    .map(({ message }) => message)
    .join('; ');
}

describe('a guest made for a firmware that the platform lacks', () => {
  test.each([
    ['bios', 'uefi'],
    ['uefi', 'bios'],
  ] as const)('is converted from %s to %s where its disks allow it, with Secure Boot off', (from, to) => {
    const plan = planRestore(other(from));
    expect(plan).toMatchObject({ firmware: to, convertsFirmware: true });
    expect(plan.vm).toMatchObject({ firmware: to, secureBoot: false });
    expect(plan.findings.find(({ code }) => code === 'PLAN_FIRMWARE_CONVERTED')?.severity).toBe('fixed');
    expect(refusals(plan)).toBe('');
  });

  test('is refused with the reason where its disks forbid it', () => {
    const plan = planRestore(other('bios', { ...bootDisk, freeNumber: null }));
    expect(plan.convertsFirmware).toBeUndefined();
    expect(refusals(plan)).toContain('no entry left');
  });

  test('is refused where it is left as it is', () => {
    const params = other('bios');
    const policy = { ...params.request.policy, prepareGuest: false };
    const plan = planRestore({ ...params, request: { ...params.request, policy } });
    expect(refusals(plan)).toContain('the guest is not prepared');
  });

  test('is not converted when its disks are made for yet another one than the specification says', () => {
    const params = other('bios');
    const guest = { ...params.facts.guest, firmware: 'uefi' as const };
    const plan = planRestore({ ...params, facts: { ...params.facts, guest } });
    expect(plan.convertsFirmware).toBeUndefined();
    expect(refusals(plan)).toContain('the platform offers uefi');
  });

  test('is not converted where the platform has no hardware for the other one either', () => {
    const params = other('bios');
    const plan = planRestore({ ...params, platform: { ...params.platform, guestNeeds: [] } });
    expect(plan.convertsFirmware).toBeUndefined();
  });
});
