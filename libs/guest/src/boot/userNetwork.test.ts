import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkHolds, parseIpv4Cidr, userNetwork } from './userNetwork.ts';

const octet = fc.integer({ min: 0, max: 255 });
const address = fc
  .tuple(fc.integer({ min: 1, max: 223 }), octet, octet, octet)
  .map((parts) => parts.join('.'));
const cidr = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([ip, prefix]) => `${ip}/${prefix}`);

test.each([
  ['a usual address', ['10.0.2.77/24'], '10.0.2.0/24', '10.0.2.2'],
  ['the gateway that QEMU would take', ['10.0.2.2/24'], '10.0.2.0/24', '10.0.2.3'],
  ['a network too narrow for QEMU', ['192.168.7.130/30'], '192.168.7.0/24', '192.168.7.2'],
  ['a wide network', ['172.16.9.9/12'], '172.16.0.0/12', '172.16.0.2'],
  ['no address at all', [], '10.0.2.0/24', '10.0.2.2'],
  ['only an IPv6 address', ['fd00::1/64'], '10.0.2.0/24', '10.0.2.2'],
])('the network for %s holds the guest and avoids its addresses', (_, addresses, network, host) => {
  expect(userNetwork(addresses)).toMatchObject({ network, host });
});

test("no address of QEMU's own ever collides with the guest's or leaves the network", () => {
  fc.assert(
    fc.property(fc.array(cidr, { minLength: 1, maxLength: 4 }), (addresses) => {
      const net = userNetwork(addresses);
      const own = [net.host, net.dns, net.dhcpStart];
      const guests = addresses.map((text) => text.split('/')[0] ?? '');
      expect(new Set([...own, ...guests]).size).toBe(own.length + new Set(guests).size);
      expect(own.every((ip) => networkHolds(net.network, ip))).toBe(true);
      expect(networkHolds(net.network, guests[0] ?? '')).toBe(true);
    }),
  );
});

test.each(['', '10.0.2', '10.0.2.256/24', '10.0.2.1/33', '10.0.2.1/x', 'fd00::1/64', '1.2.3.4;rm/24'])(
  '%j is no IPv4 address',
  (text) => {
    expect(parseIpv4Cidr(text)).toBeNull();
  },
);
