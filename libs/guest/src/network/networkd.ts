import { isInterfaceName, toCidr, toMac } from './address.ts';
import { iniValues, parseIni } from './ini.ts';
import type { NicConfig } from './nicConfig.ts';

/** Reads a `.network` file of systemd-networkd. null: it matches no single interface (patterns, virtual kinds). */
export function parseNetworkFile(text: string): NicConfig | null {
  const sections = parseIni(text);
  const name = iniValues(sections, 'Match', 'Name')[0] ?? null;
  const mac =
    iniValues(sections, 'Match', 'MACAddress')[0] ?? iniValues(sections, 'Match', 'PermanentMACAddress')[0];
  const addresses = [
    ...iniValues(sections, 'Network', 'Address'),
    ...iniValues(sections, 'Address', 'Address'),
  ]
    .map((value) => toCidr(value, null))
    .filter((cidr) => cidr !== null);
  const nic = {
    name: name !== null && isInterfaceName(name) ? name : null,
    mac: mac === undefined ? null : toMac(mac.split(/\s+/)[0] ?? ''),
    addresses,
  };
  return nic.name === null && nic.mac === null ? null : nic;
}

/** Reads a `.link` file: the name it gives to a MAC. null: another kind of match or no name. */
export function parseLinkFile(text: string): { readonly mac: string; readonly name: string } | null {
  const sections = parseIni(text);
  const matched =
    iniValues(sections, 'Match', 'MACAddress')[0] ?? iniValues(sections, 'Match', 'PermanentMACAddress')[0];
  const mac = matched === undefined ? null : toMac(matched.split(/\s+/)[0] ?? '');
  const name = iniValues(sections, 'Link', 'Name')[0];
  return mac === null || name === undefined || !isInterfaceName(name) ? null : { mac, name };
}

/** Names that old systems recorded for MACs: `etc/udev/rules.d/70-persistent-net.rules`. */
export function parsePersistentNetRules(
  text: string,
): readonly { readonly mac: string; readonly name: string }[] {
  return text.split('\n').flatMap((line) => {
    if (line.trimStart().startsWith('#')) return [];
    const mac = toMac(/ATTRS?\{address\}=="([^"]+)"/.exec(line)?.[1] ?? '');
    const name = /NAME="([^"]+)"/.exec(line)?.[1];
    return mac === null || name === undefined || !isInterfaceName(name) ? [] : [{ mac, name }];
  });
}

// Red Hat counts (IPADDR1), SUSE labels (IPADDR_web); IPV6ADDR_SECONDARIES holds several.
const addressKeys = /^(?:IPADDR(?:\d*|_\w+)|IPV6ADDR|IPV6ADDR_SECONDARIES)$/;

/** Reads `ifcfg-<name>` of the Red Hat and SUSE families. null: loopback or no usable name. */
export function parseIfcfg(values: ReadonlyMap<string, string>, fileName: string): NicConfig | null {
  const name = values.get('DEVICE') ?? fileName.replace(/^ifcfg-/, '');
  if (name === 'lo' || !isInterfaceName(name)) return null;
  const mac = values.get('HWADDR') ?? values.get('MACADDR') ?? values.get('LLADDR');
  const addresses = [...values]
    .filter(([key]) => addressKeys.test(key))
    .flatMap(([key, value]) => {
      const suffix = key.startsWith('IPV6') ? '6' : key.replace('IPADDR', '');
      const mask = ['PREFIX', 'PREFIXLEN', 'NETMASK']
        .map((word) => values.get(`${word}${suffix}`))
        .find((found) => found !== undefined && found !== '');
      return value.split(/\s+/).map((address) => toCidr(address, mask ?? null));
    })
    .filter((cidr) => cidr !== null);
  return { name, mac: mac === undefined ? null : toMac(mac), addresses };
}
