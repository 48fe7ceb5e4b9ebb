import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInterfaceName, netmaskPrefix, toCidr, toMac } from './address.ts';
import { parseInterfaces } from './interfacesFile.ts';
import { parseKeyfile } from './keyfile.ts';
import { parseNetplan } from './netplan.ts';
import { parseIfcfg, parseLinkFile, parseNetworkFile, parsePersistentNetRules } from './networkd.ts';
import { parseYaml } from './yaml.ts';

describe('addresses', () => {
  it.each([
    ['10.0.0.5/24', null, '10.0.0.5/24'],
    ['10.0.0.5', '255.255.255.0', '10.0.0.5/24'],
    ['10.0.0.5', '20', '10.0.0.5/20'],
    ['10.0.0.5', null, '10.0.0.5/32'],
    ['2001:db8::5/64', null, '2001:db8::5/64'],
    ['10.0.0.5/33', null, null],
    ['host.example', null, null],
    ['10.0.0.5', '255.0.255.0', null],
  ])('%s with %s is %s', (address, mask, cidr) => {
    expect(toCidr(address, mask)).toBe(cidr);
  });

  it('reads every valid netmask', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 32 }), (prefix) => {
        const bits = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
        const mask = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
        expect(netmaskPrefix(mask)).toBe(prefix);
      }),
    );
  });

  it('knows MAC addresses and interface names from other texts', () => {
    expect(toMac('00-50-56-AA-BB-01')).toBe('00:50:56:aa:bb:01');
    expect(toMac('00:50:56')).toBeNull();
    expect(['ens192', 'eth0.100', 'en p', '../x', 'a'.repeat(16), ''].map(isInterfaceName)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('parseInterfaces', () => {
  it('reads static and DHCP interfaces and leaves out what is no card', () => {
    const text = [
      'source /etc/network/interfaces.d/*',
      'source-directory extra/',
      'auto lo ens192',
      'iface lo inet loopback',
      'allow-hotplug ens192',
      'iface ens192 inet static',
      '  address 10.0.2.77',
      '  netmask 255.255.255.0',
      '  hwaddress ether 00:50:56:AA:BB:01',
      'iface ens192 inet6 static',
      '  address 2001:db8::77/64',
      'iface ens224 inet dhcp',
      'iface br0 inet static',
      '  address 10.1.0.1/24',
      '  bridge_ports ens224',
      'iface ens192.100 inet manual',
    ].join('\n');
    expect(parseInterfaces(text)).toEqual({
      nics: [
        { name: 'ens192', mac: '00:50:56:aa:bb:01', addresses: ['10.0.2.77/24'] },
        { name: 'ens192', mac: null, addresses: ['2001:db8::77/64'] },
        { name: 'ens224', mac: null, addresses: [] },
      ],
      sources: ['/etc/network/interfaces.d/*', 'extra/*'],
    });
  });
});

describe('parseNetplan', () => {
  it('reads the forms of the netplan documentation', () => {
    const text = [
      'network:',
      '  version: 2',
      '  renderer: networkd',
      '  ethernets:',
      '    ens192:',
      '      dhcp4: no   # static',
      '      addresses:',
      '        - 10.0.2.77/24',
      '        - "2001:db8::1/64":',
      '            label: maas',
      '        - "no: address"',
      '      nameservers: {addresses: [1.1.1.1, 8.8.8.8]}',
      '    second:',
      '      match: {macaddress: "00:50:56:aa:bb:02"}',
      '      set-name: lan0',
      "      addresses: ['10.9.0.1/16']",
      '    third:',
      '      match:',
      '        name: enp*',
      '      dhcp4: true',
      '  vlans:',
      '    vlan5: {id: 5, link: ens192}',
    ].join('\n');
    expect(parseNetplan(text)).toEqual([
      { name: 'ens192', mac: null, addresses: ['10.0.2.77/24', '2001:db8::1/64'] },
      { name: 'lan0', mac: '00:50:56:aa:bb:02', addresses: ['10.9.0.1/16'] },
    ]);
  });

  it('says so when the text is not understood, and finds nothing in a file without ethernets', () => {
    expect(parseNetplan('network:\n\tversion: 2\n')).toBeNull();
    expect(parseNetplan('network: {version: 2}')).toEqual([]);
    expect(parseNetplan('')).toEqual([]);
  });

  it('keeps a hostile key from reaching the prototype', () => {
    expect(parseNetplan('network:\n  ethernets:\n    __proto__:\n      addresses: [10.0.0.1/8]\n')).toEqual([
      { name: '__proto__', mac: null, addresses: ['10.0.0.1/8'] },
    ]);
    expect(Object.hasOwn(Object.prototype, 'addresses')).toBe(false);
  });
});

describe('parseYaml', () => {
  it('comes to an end for any text', () => {
    const piece = fc.constantFrom(
      'a: ',
      '- ',
      '  ',
      '\n',
      '{',
      '}',
      '[',
      ']',
      ',',
      '"',
      "'",
      ':',
      '#',
      'x',
      '- - - ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
        expect(() => parseYaml(pieces.join(''))).not.toThrow();
      }),
    );
  });

  it('does not follow nesting without end', () => {
    expect(parseYaml('['.repeat(50_000))).toBeDefined();
    expect(
      parseYaml(Array.from({ length: 5000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')),
    ).toBeDefined();
  });
});

describe('other formats', () => {
  it('reads NetworkManager profiles', () => {
    const text = [
      '[connection]',
      'type=ethernet',
      'interface-name=ens192',
      '[ethernet]',
      'mac-address=00:50:56:AA:BB:01',
      '[ipv4]',
      'method=manual',
      'address1=10.0.2.77/24,10.0.2.1',
      '[ipv6]',
      'addresses=2001:db8::1/64;',
    ].join('\n');
    expect(parseKeyfile(text)).toEqual({
      name: 'ens192',
      mac: '00:50:56:aa:bb:01',
      addresses: ['10.0.2.77/24', '2001:db8::1/64'],
    });
    expect(parseKeyfile('[connection]\ntype=wifi\ninterface-name=wlan0\n')).toBeNull();
  });

  it('reads networkd files', () => {
    const text = '[Match]\nName=ens192\n[Network]\nAddress=10.0.2.77/24\n[Address]\nAddress=10.0.2.78/24\n';
    expect(parseNetworkFile(text)).toEqual({
      name: 'ens192',
      mac: null,
      addresses: ['10.0.2.77/24', '10.0.2.78/24'],
    });
    expect(parseNetworkFile('[Match]\nName=en*\n')).toBeNull();
    expect(parseLinkFile('[Match]\nMACAddress=00:50:56:aa:bb:01\n[Link]\nName=lan0\n')).toEqual({
      mac: '00:50:56:aa:bb:01',
      name: 'lan0',
    });
  });

  it('reads udev rules and ifcfg files', () => {
    const rule =
      'SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="00:50:56:aa:bb:01", ATTR{type}=="1", NAME="eth0"\n# x\n';
    expect(parsePersistentNetRules(rule)).toEqual([{ mac: '00:50:56:aa:bb:01', name: 'eth0' }]);
    const ifcfg = new Map([
      ['DEVICE', 'eth0'],
      ['HWADDR', '00:50:56:AA:BB:01'],
      ['IPADDR', '10.0.0.5'],
      ['NETMASK', '255.255.255.0'],
      ['IPADDR1', '10.0.1.5'],
      ['PREFIX1', '16'],
    ]);
    expect(parseIfcfg(ifcfg, 'ifcfg-eth0')).toEqual({
      name: 'eth0',
      mac: '00:50:56:aa:bb:01',
      addresses: ['10.0.0.5/24', '10.0.1.5/16'],
    });
    expect(parseIfcfg(new Map(), 'ifcfg-lo')).toBeNull();
  });
});
