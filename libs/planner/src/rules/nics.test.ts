import { describe, expect, test } from 'vitest';
import type { PlanParams } from '../params.ts';
import { planRestore } from '../planRestore.ts';
import { target, nics, limit, bare, testObstacles, testNoObstacles } from '../testing/obstacle.ts';
import { sampleNic, withCapabilities, withGuest, withNeeds, withPolicy } from '../testing/sampleParams.ts';

describe('obstacles', () => {
  testObstacles([
    [
      'a mapped network that is not there',
      withPolicy({ networkMap: { '*': 'dmz' } }),
      'PLAN_NETWORK_UNKNOWN blocked nic:0',
      'dmz',
    ],
    [
      'a target without networks',
      target({ networks: [] }),
      'PLAN_NETWORK_UNKNOWN blocked nic:0',
      'no network',
    ],
    [
      'an unknown source network',
      nics([{ ...sampleNic, network: null }]),
      'PLAN_NETWORK_GUESSED warning nic:0',
      '(unknown)',
    ],
    [
      'a MAC nobody knows',
      nics([{ ...sampleNic, mac: null }]),
      'PLAN_NIC_MAC_UNKNOWN warning nic:0',
      'nic 0',
    ],
    [
      'a multicast MAC',
      nics([{ ...sampleNic, mac: '01:00:5e:00:00:01' }]),
      'PLAN_NIC_MAC_UNKNOWN warning nic:0',
      'nic 0',
    ],
    [
      'a MAC of zeros',
      nics([{ ...sampleNic, mac: '00:00:00:00:00:00' }]),
      'PLAN_NIC_MAC_UNKNOWN warning nic:0',
      'nic 0',
    ],
    [
      'a MAC the platform assigns without owning it, where the guest has no file',
      { ...nics([{ ...sampleNic, mac: null }]), facts: withGuest({ nics: [] }).facts },
      'PLAN_NIC_MAC_UNKNOWN warning nic:0',
      'nic 0',
    ],
    [
      'one MAC twice',
      nics([sampleNic, { ...sampleNic, nicIndex: 1 }]),
      'PLAN_NIC_MAC_DUPLICATE blocked nic:1',
      '00:50:56:aa:bb:01',
    ],
    [
      'interfaces that can be paired by order only',
      {
        ...nics([sampleNic, { ...sampleNic, nicIndex: 1, mac: '00:50:56:aa:bb:02' }]),
        facts: withGuest({ nics: [bare, { ...bare, name: 'ens4' }] }).facts,
      },
      'PLAN_NIC_MATCH_GUESSED warning nic:1',
      'ens4',
    ],
    [
      'more interfaces than allowed',
      withCapabilities({ maxNics: limit(0) }),
      'PLAN_NICS_TOO_MANY blocked target',
      '1 network',
    ],
    [
      'no interface known',
      withGuest({ nics: [] }, { vmSpec: null }),
      'PLAN_NIC_MISSING warning guest',
      'none',
    ],
  ]);
});

describe('no obstacle', () => {
  testNoObstacles([
    ['a specification that lists no interface', nics([]), 'PLAN_NIC_MISSING'],
    ['a mapped network', withPolicy({ networkMap: { 'VM Network': 'user' } }), 'PLAN_NETWORK_GUESSED'],
    [
      'a network mapped by interface',
      withPolicy({ networkMap: { 'nic:0': 'user', '*': 'dmz' } }),
      'PLAN_NETWORK_UNKNOWN',
    ],
    ['a network of the same name', nics([{ ...sampleNic, network: 'user' }]), 'PLAN_NETWORK_GUESSED'],
    [
      'a network named like an object property',
      nics([{ ...sampleNic, network: 'constructor' }]),
      'PLAN_NETWORK_UNKNOWN',
    ],
    [
      'a MAC that the platform owns',
      withCapabilities({ ownsMac: true }, nics([{ ...sampleNic, mac: null }])),
      'PLAN_NIC_MAC_UNKNOWN',
    ],
  ]);
});

describe('choices', () => {
  test('the MAC comes from the specification, else from the guest, else from the policy', () => {
    const fromGuest = withGuest({ nics: [{ ...bare, mac: '00-50-56-AA-BB-02' }] }).facts;
    const macs = { '0': '00:50:56:aa:bb:03' };
    const macOf = (mac: string | null, facts: PlanParams['facts']): string | null | undefined =>
      planRestore({ ...withPolicy({ macs }, nics([{ ...sampleNic, mac }])), facts }).nics[0]?.mac;
    expect(macOf('00:50:56:AA:BB:01', withGuest({ nics: [bare] }).facts)).toBe('00:50:56:aa:bb:01');
    expect(macOf(null, fromGuest)).toBe('00:50:56:aa:bb:02');
    expect(macOf(null, withGuest({ nics: [bare] }).facts)).toBe('00:50:56:aa:bb:03');
  });

  test('interfaces are paired by MAC address, never against it', () => {
    const two = [sampleNic, { ...sampleNic, nicIndex: 1, mac: '00:50:56:aa:bb:02' }];
    const guestNics = [
      { ...bare, name: 'ens5', mac: '00:50:56:aa:bb:02', addresses: ['10.0.0.5/24'] },
      { ...bare, name: 'ens6', mac: '00:50:56:aa:bb:09' },
    ];
    const plan = planRestore({ ...nics(two), facts: withGuest({ nics: guestNics }).facts });
    expect(plan.nics.map((nic) => [nic.guestName, nic.addresses])).toEqual([
      [null, []],
      ['ens5', ['10.0.0.5/24']],
    ]);
  });

  test('addresses of the specification go before those of the guest', () => {
    expect(planRestore(nics([{ ...sampleNic, addresses: ['10.9.9.9/8'] }])).nics[0]?.addresses).toEqual([
      '10.9.9.9/8',
    ]);
  });

  test('without a specification interfaces and boot disk come from the guest', () => {
    const plan = planRestore(withGuest({}, { vmSpec: null }));
    expect(plan.nics).toMatchObject([{ guestName: 'ens192', mac: null, rule: 'unknown-mac' }]);
    expect(plan.disks.map((disk) => disk.boot)).toEqual([true, false]);
    expect(planRestore(withGuest({ root: null }, { vmSpec: null })).disks[0]?.boot).toBe(true);
  });

  test('a platform that owns addresses gets DHCP and no MAC', () => {
    const params = withCapabilities({ ownsMac: true });
    const plan = planRestore(withNeeds(params, { networkIdentity: 'platform-dhcp' }));
    expect(plan.nics[0]).toMatchObject({ rule: 'platform-dhcp', mac: null });
  });
});
