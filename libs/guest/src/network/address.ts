import { isIP, isIPv4 } from 'node:net';

/** Prefix length of a dotted netmask, null when it is none. */
export function netmaskPrefix(mask: string): number | null {
  if (!isIPv4(mask)) return null;
  const bits = mask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) ? (bits.indexOf('0') === -1 ? 32 : bits.indexOf('0')) : null;
}

/** CIDR text from an address with or without prefix; `mask` is a prefix length or a netmask. null when it is no address. */
export function toCidr(address: string, mask: string | null): string | null {
  const [host, prefix] = address.trim().split('/');
  if (host === undefined || isIP(host) === 0) return null;
  const widest = isIPv4(host) ? 32 : 128;
  const given = prefix ?? mask;
  if (given === null) return `${host}/${widest}`;
  const length = /^\d{1,3}$/.test(given) ? Number(given) : netmaskPrefix(given);
  return length === null || length > widest ? null : `${host}/${length}`;
}

/** A MAC address in lower case with colons, null when the text is none. */
export function toMac(text: string): string | null {
  const mac = text.trim().toLowerCase().replaceAll('-', ':');
  return /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac) ? mac : null;
}

/** True for a name the kernel accepts for an interface and that is harmless in file names and unit files. */
export function isInterfaceName(text: string): boolean {
  return /^[A-Za-z0-9_][\w.-]{0,14}$/.test(text);
}
