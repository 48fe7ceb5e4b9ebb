import type { NetworkStack } from '@ascend/domain';

/** A file of ours that makes one network program ask for addresses by DHCP. */
export interface DhcpFile {
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

/** Which interfaces ask, and for what. */
export interface DhcpRequest {
  /** Interfaces by name, where a program needs names. */
  readonly names: readonly string[];
  /** Shell pattern that fits all of them, e.g. `ens192` or `e*`. */
  readonly pattern: string;
  readonly ipv6: boolean;
}

const header =
  '# Written by Ascend: the platform gives the address. The former file is kept in /etc/ascend/aside.';
// Any fixed UUID does: the profile exists once per machine.
const profileUuid = '6f1a7c52-3a0d-4b8e-9c11-5d2c0a7e4e01';

function ifupdown({ names, ipv6 }: DhcpRequest): DhcpFile {
  const stanzas = names.flatMap((name) => [
    '',
    `auto ${name}`,
    `iface ${name} inet dhcp`,
    ...(ipv6 ? [`iface ${name} inet6 auto`] : []),
  ]);
  const content = [header, 'auto lo', 'iface lo inet loopback', ...stanzas, ''].join('\n');
  return { path: 'etc/network/interfaces', content, mode: 0o644 };
}

function netplan({ pattern, ipv6 }: DhcpRequest): DhcpFile {
  const content = [
    header,
    'network:',
    '  version: 2',
    '  ethernets:',
    '    ascend:',
    '      match:',
    `        name: "${pattern}"`,
    '      dhcp4: true',
    `      dhcp6: ${ipv6}`,
    '',
  ].join('\n');
  // netplan complains about files that others can read.
  return { path: 'etc/netplan/90-ascend.yaml', content, mode: 0o600 };
}

function networkd({ pattern, ipv6 }: DhcpRequest): DhcpFile {
  const dhcp = ipv6 ? 'yes' : 'ipv4';
  const content = [header, '[Match]', `Name=${pattern}`, '', '[Network]', `DHCP=${dhcp}`, ''].join('\n');
  return { path: 'etc/systemd/network/10-ascend.network', content, mode: 0o644 };
}

function networkManager({ names, ipv6 }: DhcpRequest): DhcpFile {
  const content = [
    header,
    '[connection]',
    'id=ascend',
    `uuid=${profileUuid}`,
    'type=ethernet',
    // Several cards share the profile; 3 = may be active on many at once.
    ...(names.length === 1 ? [`interface-name=${names[0] ?? ''}`] : ['multi-connect=3']),
    '',
    '[ipv4]',
    'method=auto',
    '',
    '[ipv6]',
    `method=${ipv6 ? 'auto' : 'ignore'}`,
    '',
  ].join('\n');
  // NetworkManager refuses profiles that others can read.
  return { path: 'etc/NetworkManager/system-connections/ascend.nmconnection', content, mode: 0o600 };
}

function ifcfgRedHat({ names, ipv6 }: DhcpRequest): readonly DhcpFile[] {
  return names.map((name) => {
    const lines = ['TYPE=Ethernet', 'BOOTPROTO=dhcp', 'ONBOOT=yes', `IPV6INIT=${ipv6 ? 'yes' : 'no'}`];
    const content = [header, `DEVICE=${name}`, ...lines, ''].join('\n');
    return { path: `etc/sysconfig/network-scripts/ifcfg-${name}`, content, mode: 0o644 };
  });
}

function ifcfgSuse({ names, ipv6 }: DhcpRequest): readonly DhcpFile[] {
  return names.map((name) => {
    const content = [header, `BOOTPROTO='${ipv6 ? 'dhcp' : 'dhcp4'}'`, "STARTMODE='auto'", ''].join('\n');
    return { path: `etc/sysconfig/network/ifcfg-${name}`, content, mode: 0o644 };
  });
}

const writers: Readonly<Record<NetworkStack, (request: DhcpRequest) => readonly DhcpFile[]>> = {
  ifupdown: (request) => [ifupdown(request)],
  netplan: (request) => [netplan(request)],
  networkd: (request) => [networkd(request)],
  networkmanager: (request) => [networkManager(request)],
  'ifcfg-redhat': ifcfgRedHat,
  'ifcfg-suse': ifcfgSuse,
  'cloud-init': () => [],
  names: () => [],
};

/** The files that make `stack` ask for addresses by DHCP. Empty for what configures no interface. */
export function dhcpFiles(stack: NetworkStack, request: DhcpRequest): readonly DhcpFile[] {
  return writers[stack](request);
}
