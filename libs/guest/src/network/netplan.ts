import { isInterfaceName, toCidr, toMac } from './address.ts';
import type { NicConfig } from './nicConfig.ts';
import { isYamlList, parseYaml, yamlMember, type YamlValue } from './yaml.ts';

function textOf(value: YamlValue | null): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An address is a text, or a mapping whose only key is the address (with options). */
function addressText(value: YamlValue): string {
  if (typeof value === 'string') return value;
  return isYamlList(value) ? '' : (Object.keys(value)[0] ?? '');
}

function toNic(id: string, definition: YamlValue): NicConfig {
  const match = yamlMember(definition, 'match');
  const setName = textOf(yamlMember(definition, 'set-name'));
  const matchName = textOf(yamlMember(match, 'name'));
  const name = setName ?? (match === null ? id : matchName);
  const mac = toMac(textOf(yamlMember(match, 'macaddress')) ?? '');
  const addresses = yamlMember(definition, 'addresses');
  return {
    name: name !== null && isInterfaceName(name) ? name : null,
    mac,
    addresses:
      addresses === null || !isYamlList(addresses)
        ? []
        : addresses.map((value) => toCidr(addressText(value), null)).filter((cidr) => cidr !== null),
  };
}

/** Interfaces of an `ethernets:` mapping, as netplan and cloud-init version 2 write it; empty for any other value. */
export function nicsOfEthernets(ethernets: YamlValue | null): readonly NicConfig[] {
  if (ethernets === null || typeof ethernets === 'string' || isYamlList(ethernets)) return [];
  return Object.entries(ethernets)
    .map(([id, definition]) => toNic(id, definition))
    .filter((nic) => nic.name !== null || nic.mac !== null);
}

/** Reads the ethernets of a netplan file. null: the text is not understood. */
export function parseNetplan(text: string): readonly NicConfig[] | null {
  const root = parseYaml(text);
  return root === null ? null : nicsOfEthernets(yamlMember(yamlMember(root, 'network'), 'ethernets'));
}
