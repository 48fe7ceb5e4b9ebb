import type { WindowsInterfaceFacts } from '@ascend/domain';
import type { Hive } from '../registry/hive.ts';
import { readDword, readText, readTexts } from '../registry/registryValue.ts';

/** Class of network adapters (devguid.h). */
const netClass = '{4D36E972-E325-11CE-BFC1-08002BE10318}';
const maxInterfaces = 256;

/** `255.255.255.0` → 24; null when it is no mask. */
function prefixLength(mask: string): number | null {
  const parts = mask.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    return null;
  const bits = parts.map((part) => part.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : null;
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255);
}

function addressesOf(addresses: readonly string[], masks: readonly string[]): readonly string[] {
  return addresses.flatMap((address, index) => {
    const length = prefixLength(masks[index] ?? '');
    return isAddress(address) && address !== '0.0.0.0' && length !== null ? [`${address}/${length}`] : [];
  });
}

function macText(bytes: Buffer | undefined): string | null {
  if (bytes?.length !== 6 || bytes.every((byte) => byte === 0)) return null;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** MAC set by hand for the adapter, which every Windows stores, else the one Windows 10 and later remember. */
function macOf(system: Hive, controlSet: string, id: string): string | null {
  for (const adapter of (system.key(`${controlSet}\\Control\\Class\\${netClass}`)?.subkeys() ?? []).slice(
    0,
    1000,
  )) {
    if (readText(adapter, 'NetCfgInstanceId')?.toUpperCase() !== id.toUpperCase()) continue;
    const own = (readText(adapter, 'NetworkAddress') ?? '').replaceAll(/[-:]/g, '');
    if (/^[0-9a-f]{12}$/i.test(own)) return macText(Buffer.from(own, 'hex'));
  }
  const kernel = system.key(`${controlSet}\\Control\\NetworkSetup2\\Interfaces\\${id}\\Kernel`);
  return macText(kernel?.value('CurrentAddress')?.data) ?? macText(kernel?.value('PermanentAddress')?.data);
}

/**
 * The IPv4 configuration of every interface that has one (static addresses, or DHCP).
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT
 */
export function readInterfaces(system: Hive, controlSet: string): readonly WindowsInterfaceFacts[] {
  const keys = system.key(`${controlSet}\\Services\\Tcpip\\Parameters\\Interfaces`)?.subkeys() ?? [];
  return keys.slice(0, maxInterfaces).flatMap((key) => {
    const dhcp = readDword(key, 'EnableDHCP') === 1;
    const addresses = dhcp ? [] : addressesOf(readTexts(key, 'IPAddress'), readTexts(key, 'SubnetMask'));
    // Tunnels and adapters that never had a cable.
    if (!dhcp && addresses.length === 0) return [];
    const connection = system.key(`${controlSet}\\Control\\Network\\${netClass}\\${key.name}\\Connection`);
    return [
      {
        id: key.name,
        name: readText(connection, 'Name'),
        mac: macOf(system, controlSet, key.name),
        dhcp,
        addresses,
        gateways: dhcp ? [] : readTexts(key, 'DefaultGateway').filter(isAddress),
        dnsServers: (readText(key, 'NameServer') ?? '').split(/[\s,]+/).filter(isAddress),
      },
    ];
  });
}
