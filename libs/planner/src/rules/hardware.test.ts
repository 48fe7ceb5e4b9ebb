import type { GuestNeedsVariant } from '@ascend/domain';
import { describe, expect, test } from 'vitest';
import type { PlanParams } from '../params.ts';
import { planRestore } from '../planRestore.ts';
import { sampleParams, sampleSpec, withNeeds, withPolicy } from '../testing/sampleParams.ts';

/** Two kinds of hardware: the favourite boots by BIOS alone. */
function twoKinds(params: PlanParams): PlanParams {
  const [any] = params.platform.guestNeeds;
  if (any === undefined) throw new Error('fixture');
  const kind = (
    id: string,
    bus: string,
    changed: Partial<GuestNeedsVariant['needs']>,
  ): GuestNeedsVariant => ({
    id,
    diskBuses: [bus],
    needs: { ...any.needs, ...changed },
  });
  const guestNeeds = [
    kind('old', 'virtio-blk', { firmware: ['bios'] }),
    kind('new', 'pvscsi', { firmware: ['uefi'], linuxStorageModules: ['vmw_pvscsi'] }),
  ];
  return { ...params, platform: { ...params.platform, guestNeeds } };
}

function codes(params: PlanParams): readonly string[] {
  return planRestore(params).findings.map(({ code, severity }) => `${code} ${severity}`);
}

describe('the hardware of a plan', () => {
  test.each([
    ['bios', 'virtio-blk'],
    ['uefi', 'pvscsi'],
  ] as const)('with %s the disks go where that firmware boots: %s', (firmware, bus) => {
    const plan = planRestore(twoKinds(sampleParams({ vmSpec: { ...sampleSpec, firmware } })));
    expect(plan.disks.map((disk) => disk.bus)).toEqual(plan.disks.map(() => bus));
  });

  test('its drivers are the ones that are asked for', () => {
    const plan = planRestore(twoKinds(sampleParams({ vmSpec: { ...sampleSpec, firmware: 'uefi' } })));
    const injected = plan.findings.find(({ code }) => code === 'PLAN_DRIVER_INJECTED');
    expect(injected?.message ?? '').not.toContain('virtio_blk');
  });

  test('a bus that no hardware of the platform has is blocked, and what there is is told', () => {
    const params = sampleParams();
    const guestNeeds = params.platform.guestNeeds.map((variant) => ({ ...variant, diskBuses: ['nvme'] }));
    const { findings } = planRestore({ ...params, platform: { ...params.platform, guestNeeds } });
    expect(findings.find(({ code }) => code === 'PLAN_FIRMWARE_UNSUPPORTED')?.evidence).toContain(
      'any on nvme',
    );
  });

  test('without any disk it is the firmware alone that counts', () => {
    const params = withNeeds(withPolicy({ excludeDisks: [0, 1] }), { firmware: ['uefi'] });
    const { findings } = planRestore(params);
    const refused = findings.filter(({ code }) => code === 'PLAN_FIRMWARE_UNSUPPORTED');
    expect(refused.map(({ message }) => message).join()).toContain('any disk');
  });

  test('a platform without any for the firmware is blocked', () => {
    const params = withNeeds(sampleParams(), { firmware: ['uefi'] });
    expect(codes(params)).toContain('PLAN_FIRMWARE_UNSUPPORTED blocked');
    const none = { ...params, platform: { ...params.platform, guestNeeds: [] } };
    expect(codes(none)).toContain('PLAN_FIRMWARE_UNSUPPORTED blocked');
  });
});

describe('wishes about what is inside the guest', () => {
  const rules = [{ from: '10.0.2.0/24', to: '10.9.2.0/24' }];

  test('moved addresses are the ones that the VM is expected to have', () => {
    const plain = planRestore(sampleParams());
    const moved = planRestore(withPolicy({ addressRules: rules }));
    const before = plain.nics.flatMap((nic) => nic.addresses);
    expect(before.some((address) => address.startsWith('10.0.2.'))).toBe(true);
    expect(moved.nics.flatMap((nic) => nic.addresses)).toEqual(
      before.map((address) => address.replace('10.0.2.', '10.9.2.')),
    );
    expect(moved.policy.addressRules).toEqual(rules);
    expect(moved.inputs['policy']).not.toBe(plain.inputs['policy']);
  });

  test.each([
    [
      'rules that do not fit',
      { addressRules: [{ from: '10.0.2.0/24', to: '10.9.0.0/16' }] },
      'GUEST_ADDRESS_RULE_UNUSABLE blocked',
    ],
    [
      'rules for a guest that is not prepared',
      { addressRules: rules, prepareGuest: false },
      'PLAN_GUEST_RAW blocked',
    ],
    [
      'a script for a guest that is not prepared',
      { firstBootScript: '#!/bin/sh\n', prepareGuest: false },
      'PLAN_GUEST_RAW blocked',
    ],
  ])('%s block', (_what, policy, code) => {
    expect(codes(withPolicy(policy))).toContain(code);
  });
});
