import { describe, expect, test } from 'vitest';
import { planRestore } from '../planRestore.ts';
import { testNoObstacles, testObstacles } from '../testing/obstacle.ts';
import { sampleParams, sampleSpec, withCapabilities, withGuest } from '../testing/sampleParams.ts';
import type { PlanParams } from '../params.ts';

function having(
  spec: Partial<typeof sampleSpec>,
  offers: Parameters<typeof withCapabilities>[0] = {},
): PlanParams {
  return withCapabilities(offers, { vmSpec: { ...sampleSpec, ...spec } });
}

function vmOf(offers: Parameters<typeof withCapabilities>[0]) {
  const { secureBoot, tpm } = planRestore(having({ ...uefi, tpm: true }, offers)).vm;
  return { secureBoot, tpm };
}

const uefi = { firmware: 'uefi', secureBoot: true } as const;

describe('obstacles', () => {
  testObstacles([
    [
      'Secure Boot on a platform without it',
      having(uefi, { secureBoot: false }),
      'PLAN_SECURE_BOOT_OFF warning target',
      'the platform does not offer it',
    ],
    [
      'Secure Boot of a VM that boots with bios',
      having({ secureBoot: true }, { secureBoot: true }),
      'PLAN_SECURE_BOOT_OFF warning target',
      'it boots with bios',
    ],
    [
      'a TPM on a platform without it',
      having({ tpm: true }, { tpm: false }),
      'PLAN_TPM_LOST warning target',
      'offers none',
    ],
    [
      'a TPM on a platform with it',
      having({ tpm: true }, { tpm: true }),
      'PLAN_TPM_LOST warning target',
      'the new one is empty',
    ],
    [
      'a guest of another architecture',
      withGuest({ arch: 'aarch64' }),
      'PLAN_ARCHITECTURE_UNSUPPORTED blocked guest',
      'made for aarch64, the platform runs x86_64',
    ],
    [
      'a specification of another architecture, where the guest does not tell',
      withGuest({ arch: null }, { vmSpec: { ...sampleSpec, cpuArch: 'ppc64le' } }),
      'PLAN_ARCHITECTURE_UNSUPPORTED blocked guest',
      'ppc64le',
    ],
    [
      'devices that were passed through',
      having({
        devices: [
          { kind: 'gpu', description: 'grid_p40-8q' },
          { kind: 'gpu', description: 'grid_p40-8q' },
          { kind: 'usb-passthrough', description: 'dongle' },
          { kind: 'cdrom', description: 'ide1:0' },
        ],
      }),
      'PLAN_DEVICES_LEFT_OUT warning target',
      '3 devices of the VM are left out: gpu, usb-passthrough',
    ],
  ]);
  testNoObstacles([
    [
      'a VM with a CD-ROM alone loses nothing',
      having({ devices: [{ kind: 'cdrom', description: 'x' }] }),
      'PLAN_DEVICES_LEFT_OUT',
    ],
    [
      'an architecture that nobody tells is not an obstacle',
      withGuest({ arch: null }),
      'PLAN_ARCHITECTURE_UNSUPPORTED',
    ],
    [
      'Secure Boot stays where the platform has it',
      having(uefi, { secureBoot: true }),
      'PLAN_SECURE_BOOT_OFF',
    ],
    ['without specification nothing is said of a TPM', sampleParams({ vmSpec: null }), 'PLAN_TPM_LOST'],
  ]);
});

test('the new VM has Secure Boot and a TPM only where the platform offers them', () => {
  expect(vmOf({ secureBoot: true, tpm: true })).toEqual({ secureBoot: true, tpm: true });
  expect(vmOf({ secureBoot: false, tpm: false })).toEqual({ secureBoot: false, tpm: false });
});
