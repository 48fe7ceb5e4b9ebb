import { addressRulesProblem, moveAddresses } from '@ascend/domain/addresses';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../testing/memoryFiles.ts';
import { parseCloudNetwork } from './cloudNetwork.ts';
import { addressesIn, readNetworkFiles } from './networkFiles.ts';
import { parseIfcfg } from './networkd.ts';
import { readNics } from './nics.ts';
import { replaceAddresses } from './replaceAddresses.ts';
import { parseYaml } from './yaml.ts';

describe('moveAddresses', () => {
  it.each([
    ['10.0.2.0/24', '192.168.7.0/24', '10.0.2.77', '192.168.7.77'],
    ['10.0.2.9/24', '192.168.7.1/24', '10.0.2.255', '192.168.7.255'],
    ['10.0.0.0/8', '11.0.0.0/8', '10.1.2.3', '11.1.2.3'],
    ['2001:db8:1::/64', 'fd00:7::/64', '2001:db8:1::5:0:1', 'fd00:7::5:0:1'],
    ['2001:db8::/64', 'fd00::/64', '2001:DB8::1', 'fd00::1'],
  ])('%s to %s makes %s %s', (from, to, address, moved) => {
    expect(moveAddresses([address], [{ from, to }])).toEqual({ [address]: moved });
  });

  it('leaves addresses of other networks, netmasks and words that are none', () => {
    const rules = [{ from: '10.0.2.0/24', to: '10.9.2.0/24' }];
    expect(moveAddresses(['10.0.3.1', '255.255.255.0', 'fe80::1%eth0', 'x'], rules)).toEqual({});
  });

  it.each([
    [[{ from: '10.0.2.0/24', to: '10.0.3.0/25' }], /differ in family or size/],
    [[{ from: '10.0.2.0/24', to: 'fd00::/24' }], /differ in family or size/],
    [[{ from: '10.0.2.0', to: '10.0.3.0/24' }], /not two networks/],
    [[{ from: '10.0.2.0/24', to: '10.0.2.0/24' }], /overlaps/],
    [
      [
        { from: '10.0.0.0/16', to: '11.0.0.0/16' },
        { from: '10.0.2.0/24', to: '12.0.2.0/24' },
      ],
      /two rules/,
    ],
    [
      [
        { from: '10.0.2.0/24', to: '10.0.3.0/24' },
        { from: '10.0.3.0/24', to: '10.0.4.0/24' },
      ],
      /overlaps/,
    ],
  ])('refuses %j', (rules, problem) => {
    expect(addressRulesProblem(rules)).toMatch(problem);
    expect(moveAddresses(['10.0.2.1'], rules)).toEqual({});
  });

  it('keeps the host part, for any address of any network', () => {
    const rule = { from: '10.32.0.0/11', to: '172.64.0.0/11' };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 21 - 1 }), (host) => {
        const tail = `${(host >> 8) & 255}.${host & 255}`;
        const high = host >> 16;
        const address = `10.${32 + high}.${tail}`;
        expect(moveAddresses([address], [rule])).toEqual({ [address]: `172.${64 + high}.${tail}` });
      }),
    );
  });

  it('makes of any IPv6 address another legal one, and the way back leads home', () => {
    const [here, there] = ['2001:db8::/32', 'fd00:1::/32'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom('0', '1', 'abcd'), { minLength: 6, maxLength: 6 }), (groups) => {
        const address = `2001:db8:${groups.join(':')}`;
        const moved = moveAddresses([address], [{ from: here, to: there }])[address] ?? '';
        expect(moved).not.toBe('');
        const back = moveAddresses([moved], [{ from: there, to: here }])[moved] ?? '';
        expect(moveAddresses([back], [{ from: here, to: there }])[back]).toBe(moved);
      }),
    );
  });
});

describe('replaceAddresses', () => {
  const map = new Map([
    ['10.0.0.5', '10.9.0.5'],
    ['10.0.0.1', '10.9.0.1'],
    ['fd00::5', 'fd09::5'],
  ]);

  it.each([
    ['address 10.0.0.5/24', 'address 10.9.0.5/24'],
    ['addresses: [10.0.0.5/24, "fd00::5/64"]', 'addresses: [10.9.0.5/24, "fd09::5/64"]'],
    ['address1=10.0.0.5/24,10.0.0.1', 'address1=10.9.0.5/24,10.9.0.1'],
    ["IPADDR='10.0.0.5'", "IPADDR='10.9.0.5'"],
    ['110.0.0.5 10.0.0.51 10.0.0.5.6 v10.0.0.5', '110.0.0.5 10.0.0.51 10.0.0.5.6 v10.0.0.5'],
    ['# 10.0.0.5', '# 10.0.0.5'],
    ['10.0.0.5\thost.example host', '10.9.0.5\thost.example host'],
  ])('%j becomes %j', (before, after) => {
    expect(replaceAddresses(before, map)).toBe(after);
  });
});

describe('network configuration', () => {
  it('reads interfaces of SUSE, several addresses each', () => {
    const values = new Map([
      ['IPADDR', '10.0.0.5/24'],
      ['IPADDR_web', '10.0.1.5'],
      ['NETMASK_web', '255.255.0.0'],
      ['LLADDR', '00:50:56:AA:BB:01'],
    ]);
    expect(parseIfcfg(values, 'ifcfg-eth1')).toEqual({
      name: 'eth1',
      mac: '00:50:56:aa:bb:01',
      addresses: ['10.0.0.5/24', '10.0.1.5/16'],
    });
  });

  it('reads the network part of cloud-init, version 1 and 2', () => {
    const one = [
      'network:',
      '  version: 1',
      '  config:',
      '  - type: physical',
      '    name: eth0',
      '    mac_address: "00:50:56:aa:bb:01"',
      '    subnets:',
      '    - type: static',
      '      address: 10.0.0.5',
      '      netmask: 255.255.255.0',
      '  - type: nameserver',
      '    address: [10.0.0.1]',
    ].join('\n');
    const nic = { name: 'eth0', mac: '00:50:56:aa:bb:01', addresses: ['10.0.0.5/24'] };
    expect(parseCloudNetwork(parseYaml(one) ?? '')).toEqual([nic]);
    const two = 'network:\n  version: 2\n  ethernets:\n    eth0: {addresses: [10.0.0.5/24]}\n';
    expect(parseCloudNetwork(parseYaml(two) ?? '')).toEqual([{ ...nic, mac: null }]);
    expect(parseCloudNetwork(parseYaml('network: {config: disabled}') ?? '')).toEqual([]);
  });

  it('lists the files of every program, with the addresses in them', async () => {
    const files = memoryFiles({
      'etc/network/interfaces': 'iface eth0 inet static\n address 10.0.0.5/24\n gateway 10.0.0.1\n',
      'etc/netplan/01.yaml': 'a: 10.0.0.6\n',
      'etc/systemd/network/a.network': '',
      'etc/systemd/network/a.link': '',
      'etc/NetworkManager/system-connections/Wired 1.nmconnection': '',
      'etc/sysconfig/network-scripts/route-eth0': '10.1.0.0/16 via 10.0.0.1\n',
      'etc/sysconfig/network/ifcfg-eth0': '',
      'etc/sysconfig/network/ifcfg-lo': '',
      'etc/hosts': '127.0.0.1 localhost\n10.0.0.5 me\n',
      'etc/resolv.conf': '-> /run/resolv.conf',
    });
    const found = await readNetworkFiles(files);
    expect(found.map(({ stack, path }) => `${stack} ${path}`)).toEqual([
      'ifupdown etc/network/interfaces',
      'netplan etc/netplan/01.yaml',
      'networkd etc/systemd/network/a.network',
      'networkmanager etc/NetworkManager/system-connections/Wired 1.nmconnection',
      'ifcfg-redhat etc/sysconfig/network-scripts/route-eth0',
      'ifcfg-suse etc/sysconfig/network/ifcfg-eth0',
      'names etc/hosts',
    ]);
    expect(found[0]?.addresses).toEqual(['10.0.0.5', '10.0.0.1']);
    expect(addressesIn('# 10.0.0.1\nfd00::1/64 1.2.3 ::1\n')).toEqual(['fd00::1', '::1']);
  });

  it('says by which lines an interface is recognised by its MAC', async () => {
    const files = memoryFiles({
      'etc/sysconfig/network-scripts/ifcfg-eth0':
        'DEVICE=eth0\n  HWADDR=00:50:56:AA:BB:01\nIPADDR=10.0.0.5\n',
    });
    expect((await readNics(files)).nics).toMatchObject([
      { name: 'eth0', mac: '00:50:56:aa:bb:01', macLines: ['HWADDR=00:50:56:AA:BB:01'] },
    ]);
  });
});
