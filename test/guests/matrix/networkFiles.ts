import type { GuestFile } from '../guestTree.ts';
import { matrixNic, type MatrixGuest, type NetworkProgram } from './matrixGuest.ts';

type Nic = ReturnType<typeof matrixNic>;

const loopback = ['auto lo', 'iface lo inet loopback', ''];

function ifupdown(nic: Nic): readonly GuestFile[] {
  const lines = [
    ...loopback,
    `auto ${nic.name}`,
    `iface ${nic.name} inet static`,
    `    address ${nic.address}`,
    `    gateway ${nic.gateway}`,
    '',
  ];
  return [{ path: 'etc/network/interfaces', text: lines.join('\n') }];
}

function netplan(nic: Nic): readonly GuestFile[] {
  const text = `network:
  version: 2
  renderer: networkd
  ethernets:
    ${nic.name}:
      dhcp4: false
      addresses: [${nic.address}]
      routes:
        - to: default
          via: ${nic.gateway}
`;
  return [{ path: 'etc/netplan/01-static.yaml', text, mode: 0o600 }];
}

function networkManager(nic: Nic): readonly GuestFile[] {
  const text = `[connection]
id=wired
uuid=6a7e0001-3b52-4d0e-9a55-0a5c3e6d0110
type=ethernet
interface-name=${nic.name}

[ipv4]
method=manual
address1=${nic.address},${nic.gateway}

[ipv6]
method=ignore
`;
  return [{ path: 'etc/NetworkManager/system-connections/wired.nmconnection', text, mode: 0o600 }];
}

function networkd(nic: Nic): readonly GuestFile[] {
  const text = `[Match]
Name=${nic.name}

[Network]
Address=${nic.address}
Gateway=${nic.gateway}
LinkLocalAddressing=no
`;
  return [
    { path: 'etc/systemd/network/50-static.network', text },
    {
      path: 'etc/systemd/system/multi-user.target.wants/systemd-networkd.service',
      link: '/lib/systemd/system/systemd-networkd.service',
    },
  ];
}

const writers: Readonly<Record<NetworkProgram, (nic: Nic) => readonly GuestFile[]>> = {
  ifupdown,
  netplan,
  'network-manager': networkManager,
  networkd,
};

/** A guest's static address in the files of its program, bound to the interface's name; ifupdown knows no other card. */
export function networkFiles(guest: MatrixGuest): readonly GuestFile[] {
  const lonely: GuestFile = { path: 'etc/network/interfaces', text: loopback.join('\n') };
  return [lonely, ...writers[guest.network](matrixNic(guest))];
}
