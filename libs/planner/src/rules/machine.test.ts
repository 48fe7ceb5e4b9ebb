import { describe, expect, test } from 'vitest';
import type { PlanParams } from '../params.ts';
import { planRestore } from '../planRestore.ts';
import { able, point, target, gib, testObstacles, testNoObstacles } from '../testing/obstacle.ts';
import {
  sampleParams,
  withCapabilities,
  withGuest,
  withPolicy,
  sampleSpec,
} from '../testing/sampleParams.ts';

describe('obstacles', () => {
  testObstacles([
    [
      'more CPUs than the target',
      target({ cpuCount: 1 }),
      'PLAN_CPU_EXCEEDS_TARGET warning target',
      '2 CPUs',
    ],
    [
      'more memory than the target',
      target({ memoryBytes: 1 }),
      'PLAN_MEMORY_EXCEEDS_TARGET blocked target',
      '1.0 GiB',
    ],
    [
      'more memory than the target for a VM that stays off',
      target({ memoryBytes: 1 }, { powerOn: false }),
      'PLAN_MEMORY_EXCEEDS_TARGET warning target',
      '1.0 GiB',
    ],
    ['no specification', sampleParams({ vmSpec: null }), 'PLAN_SPEC_MISSING warning backup', '2 CPUs'],
    [
      'a half answered specification',
      withPolicy({ cpuCount: 4 }, { vmSpec: null }),
      'PLAN_SPEC_MISSING warning backup',
      '4 CPUs',
    ],
    [
      'a firmware the target lacks',
      withCapabilities({ firmware: ['uefi'] }),
      'PLAN_FIRMWARE_UNSUPPORTED blocked target',
      'bios',
    ],
    [
      'disks made for another firmware',
      withGuest({ firmware: 'uefi' }),
      'PLAN_FIRMWARE_CONFLICT warning guest',
      'uefi',
    ],
    [
      'a firmware nobody knows',
      withGuest({ firmware: 'unknown' }, { vmSpec: null }),
      'PLAN_FIRMWARE_GUESSED warning guest',
      'bios',
    ],
    ['a name that is taken', target({ vmNames: ['pgtest1'] }), 'PLAN_NAME_TAKEN blocked target', 'pgtest1'],
    [
      'a wished name that is illegal',
      withPolicy({ vmName: 'été 1' }),
      'PLAN_NAME_ILLEGAL blocked target',
      'été 1',
    ],
    [
      'a wished name without legal letters',
      withPolicy({ vmName: '雪' }),
      'PLAN_NAME_ILLEGAL blocked target',
      '雪',
    ],
    [
      'a wished name that is too long',
      withPolicy({ vmName: 'x'.repeat(40) }),
      'PLAN_NAME_ILLEGAL blocked target',
      'xxx',
    ],
    [
      'an inherited name that is illegal',
      point({ vmName: '-db (old)' }),
      'PLAN_NAME_ADJUSTED fixed target',
      'named db-old',
    ],
    [
      'an inherited name that cannot be adjusted',
      withCapabilities({ namePattern: '^[0-9]+$' }),
      'PLAN_NAME_ILLEGAL blocked target',
      'pgtest1',
    ],
    [
      'a rehearsal of hardware that cannot be imitated',
      withCapabilities({ rehearsal: false }, withPolicy({ bootTest: true })),
      'PLAN_BOOT_TEST_IMPOSSIBLE warning agent',
      'imitated',
    ],
    [
      'a rehearsal without QEMU',
      able({ qemuVersion: null }, { bootTest: true }),
      'PLAN_BOOT_TEST_IMPOSSIBLE warning agent',
      'no QEMU',
    ],
    [
      'a target that cannot run VMs',
      target({ acceleration: 'none' }),
      'PLAN_TARGET_CANNOT_RUN blocked target',
      'run a VM',
    ],
    [
      'emulation with little time',
      withPolicy({ bootTimeoutMs: 60_000 }),
      'PLAN_BOOT_SLOW warning target',
      '60000 ms',
    ],
    [
      'an emulated rehearsal with little time',
      withPolicy({ bootTimeoutMs: 60_000, bootTest: true, powerOn: false }),
      'PLAN_BOOT_SLOW warning target',
      '60000 ms',
    ],
    [
      'a start without evidence',
      withPolicy({ evidence: 'none' }),
      'PLAN_EVIDENCE_NONE warning target',
      'nothing has to prove',
    ],
  ]);
});

describe('no obstacle', () => {
  testNoObstacles([
    ['the same firmware on both sides', withGuest({ firmware: 'bios' }), 'PLAN_FIRMWARE_CONFLICT'],
    [
      'a firmware only the disks tell',
      withGuest({ firmware: 'uefi' }, { vmSpec: null }),
      'PLAN_FIRMWARE_GUESSED',
    ],
    [
      'CPUs and memory from the policy',
      withPolicy({ cpuCount: 1, memoryBytes: gib }, { vmSpec: null }),
      'PLAN_SPEC_MISSING',
    ],
    [
      'a target that does not tell its capacity',
      target({ cpuCount: 0, memoryBytes: 0 }),
      'PLAN_MEMORY_EXCEEDS_TARGET',
    ],
    [
      'a target that cannot run a VM that stays off',
      target({ acceleration: 'none' }, { powerOn: false }),
      'PLAN_TARGET_CANNOT_RUN',
    ],
    [
      'hardware acceleration with little time',
      target({ acceleration: 'kvm' }, { bootTimeoutMs: 1000 }),
      'PLAN_BOOT_SLOW',
    ],
    [
      'a rehearsal on hardware with little time',
      able({ kvmWorks: true }, { bootTimeoutMs: 1000, bootTest: true, powerOn: false }),
      'PLAN_BOOT_SLOW',
    ],
  ]);
});

describe('choices', () => {
  test('cores per socket are kept only when they divide the CPU count', () => {
    const spec = { ...sampleSpec, cpuCount: 8, coresPerSocket: 4 };
    const cores = (policy: PlanParams['request']['policy']): number | null =>
      planRestore(withPolicy(policy, { vmSpec: spec })).vm.coresPerSocket;
    expect(cores({})).toBe(4);
    expect(cores({ cpuCount: 6 })).toBeNull();
  });
});
