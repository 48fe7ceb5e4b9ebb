import { isInterfaceName, toCidr, toMac } from './address.ts';
import { nicsOfEthernets } from './netplan.ts';
import type { NicConfig } from './nicConfig.ts';
import { isYamlList, yamlMember, type YamlValue } from './yaml.ts';

function text(value: YamlValue | null, key: string): string | null {
  const member = yamlMember(value, key);
  return typeof member === 'string' && member !== '' ? member : null;
}

function subnetsOf(device: YamlValue): readonly string[] {
  const subnets = yamlMember(device, 'subnets');
  if (subnets === null || !isYamlList(subnets)) return [];
  return subnets
    .map((subnet) => toCidr(text(subnet, 'address') ?? '', text(subnet, 'netmask')))
    .filter((cidr) => cidr !== null);
}

/** Version 1: a list of devices with their subnets. */
function nicsOfDevices(devices: readonly YamlValue[]): readonly NicConfig[] {
  return devices
    .filter((device) => text(device, 'type') === 'physical')
    .map((device) => {
      const name = text(device, 'name');
      return {
        name: name !== null && isInterfaceName(name) ? name : null,
        mac: toMac(text(device, 'mac_address') ?? ''),
        addresses: subnetsOf(device),
      };
    })
    .filter((nic) => nic.name !== null || nic.mac !== null);
}

/** Reads the `network:` part of a cloud-init configuration, version 1 or 2. Empty when it has none, or is disabled. */
export function parseCloudNetwork(config: YamlValue): readonly NicConfig[] {
  const network = yamlMember(config, 'network');
  const devices = yamlMember(network, 'config');
  if (devices !== null && typeof devices !== 'string' && isYamlList(devices)) return nicsOfDevices(devices);
  return nicsOfEthernets(yamlMember(network, 'ethernets'));
}
