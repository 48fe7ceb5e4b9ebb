import { isInterfaceName, toCidr, toMac } from './address.ts';
import { iniValues, parseIni } from './ini.ts';
import type { NicConfig } from './nicConfig.ts';

/** Reads a connection profile of NetworkManager (`etc/NetworkManager/system-connections`). null: not an ethernet profile. */
export function parseKeyfile(text: string): NicConfig | null {
  const sections = parseIni(text);
  const type = iniValues(sections, 'connection', 'type')[0] ?? 'ethernet';
  if (type !== 'ethernet' && type !== '802-3-ethernet') return null;
  const name =
    iniValues(sections, 'connection', 'interface-name')[0] ??
    iniValues(sections, 'match', 'interface-name')[0]?.replace(/;$/, '') ??
    null;
  const mac = ['ethernet', '802-3-ethernet'].flatMap((section) =>
    iniValues(sections, section, 'mac-address'),
  )[0];
  const addresses = sections
    .filter((section) => section.name === 'ipv4' || section.name === 'ipv6')
    .flatMap((section) => section.entries)
    .filter(([key]) => /^address(?:es)?\d*$/.test(key))
    .map(([, value]) => toCidr((value.split(/[,;]/)[0] ?? '').trim(), null))
    .filter((cidr) => cidr !== null);
  const nic = {
    name: name !== null && isInterfaceName(name) ? name : null,
    mac: mac === undefined ? null : toMac(mac),
    addresses,
  };
  return nic.name === null && nic.mac === null ? null : nic;
}
