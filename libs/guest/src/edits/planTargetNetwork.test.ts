import type { NetworkStack } from '@ascend/domain';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cloudNic,
  codes,
  linux,
  nic,
  planTarget as plan,
  short,
  targetGuest as guest,
  textOf,
} from '../testing/targetPlan.ts';
import { dhcpFiles } from './dhcpFiles.ts';

describe('platform-dhcp', () => {
  const wanted = { networkIdentity: 'platform-dhcp' as const };
  const stacks: readonly (readonly [NetworkStack, string, string])[] = [
    ['ifupdown', 'etc/network/interfaces', 'iface ens192 inet dhcp'],
    ['netplan', 'etc/netplan/90-ascend.yaml', 'name: "ens192"'],
    ['networkd', 'etc/systemd/network/10-ascend.network', 'DHCP=ipv4'],
    ['networkmanager', 'etc/NetworkManager/system-connections/ascend.nmconnection', 'interface-name=ens192'],
    ['ifcfg-redhat', 'etc/sysconfig/network-scripts/ifcfg-ens192', 'BOOTPROTO=dhcp'],
    ['ifcfg-suse', 'etc/sysconfig/network/ifcfg-ens192', "BOOTPROTO='dhcp4'"],
  ];

  it.each(stacks)('keeps the %s configuration aside and writes DHCP for it', (stack, path, line) => {
    const file = { path: 'etc/old', stack, addresses: ['10.0.2.77'] };
    const nics = [{ ...guest.nics[0]!, configPath: 'etc/old' }];
    const result = plan({
      nics: [cloudNic],
      guest: { nics },
      linux: { networkFiles: [file] },
      needs: wanted,
    });
    expect(result.edits[0]).toMatchObject({
      kind: 'set-aside',
      path: 'etc/old',
      to: 'etc/ascend/aside/etc/old',
    });
    expect(textOf(result.edits, path)).toContain(line);
    expect(textOf(result.edits, 'etc/systemd/network/10-ascend-ens192.link')).toContain('Driver=ena\n');
    expect(codes(result)).toEqual(['fixed GUEST_ADDRESS_FROM_PLATFORM']);
  });

  it('names several cards by the kernel’s order, and asks for IPv6 where the guest had it', () => {
    const nics = [...guest.nics, { ...guest.nics[0]!, name: 'ens224', addresses: ['fd00::5/64'] }];
    const { edits } = plan({
      nics: [cloudNic, { ...cloudNic, nicIndex: 1 }],
      guest: { nics },
      needs: wanted,
    });
    const text = textOf(edits, 'etc/network/interfaces');
    for (const line of ['iface eth0 inet dhcp', 'iface eth1 inet dhcp', 'iface eth0 inet6 auto']) {
      expect(text).toContain(line);
    }
    expect(textOf(edits, 'boot/grub/grub.cfg', 'linux /v ro\n')).toBe(
      'linux /v ro net.ifnames=0 biosdevname=0\n',
    );
    expect(short(edits).some((edit) => edit.endsWith('.link'))).toBe(false);
  });

  it('warns where there is no program to ask with, and forgets MACs of old systems', () => {
    const path = 'etc/udev/rules.d/70-persistent-net.rules';
    const persistentNames = [{ path, mac: '00:50:56:aa:bb:01', name: 'ens192' }];
    const old = { init: 'sysv' as const, dhcpClient: false, persistentNames };
    const boot = { ...guest.boot!, systemdVersion: null };
    const result = plan({ nics: [cloudNic], guest: { boot }, linux: old, needs: wanted });
    expect(codes(result)).toContain('warning GUEST_DHCP_CLIENT_MISSING');
    expect(short(result.edits)).toEqual(
      expect.arrayContaining([
        `set-aside ${path}`,
        'make-link etc/udev/rules.d/75-persistent-net-generator.rules',
        'add-lines etc/udev/rules.d/70-ascend-net.rules',
      ]),
    );
  });

  it('says so when the guest has no network configuration', () => {
    const result = plan({
      nics: [cloudNic],
      guest: { nics: [] },
      linux: { networkFiles: [] },
      needs: wanted,
    });
    expect(codes(result)).toEqual(['warning GUEST_NIC_UNKNOWN']);
  });

  it('leaves bridges and profiles without addresses in place', () => {
    const networkFiles = [
      { path: 'etc/systemd/network/docker.network', stack: 'networkd' as const, addresses: [] },
      { path: 'etc/systemd/network/lan.network', stack: 'networkd' as const, addresses: ['10.0.2.77'] },
    ];
    const { edits } = plan({ nics: [cloudNic], linux: { networkFiles }, needs: wanted });
    expect(short(edits)).toContain('set-aside etc/systemd/network/lan.network');
    expect(short(edits)).not.toContain('set-aside etc/systemd/network/docker.network');
  });

  it('writes files that are the same for the same request', () => {
    const stack = fc.constantFrom(...stacks.map(([name]) => name));
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/);
    fc.assert(
      fc.property(
        stack,
        fc.array(name, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (kind, names, ipv6) => {
          const request = { names, pattern: 'e*', ipv6 };
          const files = dhcpFiles(kind, request);
          expect(files.length).toBeGreaterThan(0);
          expect(files).toEqual(dhcpFiles(kind, request));
          for (const file of files) expect(file.content.endsWith('\n')).toBe(true);
        },
      ),
    );
  });
});

describe('names bound to cards', () => {
  it('writes a udev rule where .link files are not read', () => {
    const boot = { ...guest.boot!, systemdVersion: null };
    const rules = 'etc/udev/rules.d/70-ascend-net.rules';
    const old = { init: 'sysv' as const };
    expect(textOf(plan({ nics: [nic], guest: { boot }, linux: old }).edits, rules)).toBe(
      'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="00:50:56:aa:bb:01", ATTR{type}=="1", NAME="ens192"\n',
    );
    const unknown = { ...nic, mac: null, rule: 'unknown-mac' as const };
    expect(textOf(plan({ nics: [unknown], guest: { boot }, linux: old }).edits, rules)).toContain(
      'DRIVERS=="ena"',
    );
  });

  const bound: readonly (readonly [string, string, string])[] = [
    [
      'HWADDR=00:50:56:AA:BB:09',
      'HWADDR=00:50:56:aa:bb:01',
      '# Taken out by Ascend: HWADDR=00:50:56:AA:BB:09',
    ],
    [
      'mac-address=00:50:56:aa:bb:09',
      'mac-address=00:50:56:aa:bb:01',
      '# Taken out by Ascend: mac-address=00:50:56:aa:bb:09',
    ],
    ['MACAddress=00:50:56:aa:bb:09', 'MACAddress=00:50:56:aa:bb:01', 'Driver=ena'],
    ['macaddress: "00:50:56:aa:bb:09"', 'macaddress: "00:50:56:aa:bb:01"', 'driver: ena'],
    [
      'match: {macaddress: 00:50:56:aa:bb:09}',
      'match: {macaddress: 00:50:56:aa:bb:01}',
      'match: {driver: ena}',
    ],
  ];

  it.each(bound)('changes %s where the card gets another MAC', (line, known, unknown) => {
    const nics = [{ ...guest.nics[0]!, mac: '00:50:56:aa:bb:09', configPath: 'etc/x', macLines: [line] }];
    const text = (mac: string | null) =>
      textOf(plan({ nics: [{ ...nic, mac }], guest: { nics } }).edits, 'etc/x', `a\n  ${line}\n`);
    expect(text('00:50:56:aa:bb:01')).toBe(`a\n  ${known}\n`);
    expect(text(null)).toBe(`a\n  ${unknown}\n`);
  });

  it('keeps old rules that still hold and sets others aside', () => {
    const path = 'etc/udev/rules.d/70-persistent-net.rules';
    const names = (mac: string) => ({ persistentNames: [{ path, mac, name: 'ens192' }] });
    const aside = `set-aside ${path}`;
    expect(short(plan({ nics: [nic], linux: names('00:50:56:aa:bb:01') }).edits)).not.toContain(aside);
    expect(short(plan({ nics: [nic], linux: names('00:50:56:aa:bb:77') }).edits)).toContain(aside);
  });
});

describe('moved addresses', () => {
  const addressRules = [{ from: '10.0.2.0/24', to: '192.168.7.0/24' }];

  it('replaces address, gateway and host entry, the host part kept', () => {
    const networkFiles = [
      ...linux.networkFiles,
      { path: 'etc/hosts', stack: 'names' as const, addresses: ['10.0.2.77'] },
    ];
    const result = plan({ addressRules, linux: { networkFiles } });
    expect(textOf(result.edits, 'etc/network/interfaces', 'address 10.0.2.77/24\ngateway 10.0.2.2\n')).toBe(
      'address 192.168.7.77/24\ngateway 192.168.7.2\n',
    );
    expect(textOf(result.edits, 'etc/hosts', '10.0.2.77 me\n')).toBe('192.168.7.77 me\n');
    expect(codes(result)).toEqual(['fixed GUEST_ADDRESS_MOVED']);
  });

  it('blocks rules that cannot be used and warns of rules that fit nothing', () => {
    expect(codes(plan({ addressRules: [{ from: '10.0.2.0/24', to: '10.0.3.0/25' }] }))).toEqual([
      'blocked GUEST_ADDRESS_RULE_UNUSABLE',
    ]);
    expect(codes(plan({ addressRules: [{ from: '172.16.0.0/24', to: '10.0.3.0/24' }] }))).toEqual([
      'warning GUEST_ADDRESS_MOVED',
    ]);
  });

  it('touches no file that is set aside', () => {
    const wanted = { networkIdentity: 'platform-dhcp' as const };
    const { edits } = plan({ addressRules, nics: [cloudNic], needs: wanted });
    expect(edits.some((edit) => edit.kind === 'replace-addresses')).toBe(false);
  });
});
