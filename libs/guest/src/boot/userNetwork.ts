/** The user-mode network of one interface: all addresses differ and none is one that the guest owns. */
export interface UserNetwork {
  /** `10.0.2.0/24`. */
  readonly network: string;
  /** QEMU's own side, the gateway as the guest sees it. */
  readonly host: string;
  readonly dhcpStart: string;
  readonly dns: string;
}

/** An IPv4 address and its prefix length. */
export interface Ipv4Cidr {
  readonly address: string;
  readonly prefix: number;
}

const defaultNetwork: UserNetwork = {
  network: '10.0.2.0/24',
  host: '10.0.2.2',
  dhcpStart: '10.0.2.15',
  dns: '10.0.2.3',
};

function toNumber(address: string): number | null {
  const parts = address.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** Reads `10.0.2.77/24` (or a bare address, prefix 24); null for all else, IPv6 included. */
export function parseIpv4Cidr(text: string): Ipv4Cidr | null {
  const [address = '', prefixText] = text.split('/');
  const prefix = prefixText === undefined ? 24 : /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : 99;
  return toNumber(address) === null || prefix > 32 ? null : { address, prefix };
}

/** True when the address lies in the network, both in text form. */
export function networkHolds(network: string, address: string): boolean {
  const range = parseIpv4Cidr(network);
  const value = toNumber(address);
  if (range === null || value === null) return false;
  const size = 2 ** (32 - range.prefix);
  const base = toNumber(range.address) ?? 0;
  return Math.floor(base / size) === Math.floor(value / size);
}

/** The network in which a guest with these addresses is at home; QEMU's usual one when none is an IPv4 address. */
export function userNetwork(addresses: readonly string[]): UserNetwork {
  const known = addresses.map(parseIpv4Cidr).filter((cidr) => cidr !== null);
  const first = known[0];
  if (first === undefined) return defaultNetwork;
  // Narrower than /24 leaves no room for QEMU's own three addresses; the guest does not see the difference.
  const prefix = Math.min(Math.max(first.prefix, 8), 24);
  const size = 2 ** (32 - prefix);
  const base = Math.floor((toNumber(first.address) ?? 0) / size) * size;
  const taken = new Set(known.map((cidr) => toNumber(cidr.address)));
  const pick = (wanted: number): number => {
    let offset = wanted;
    while (taken.has(base + offset)) offset += 1;
    taken.add(base + offset);
    return base + offset;
  };
  const [host, dns, dhcpStart] = [pick(2), pick(3), pick(15)];
  return {
    network: `${toText(base)}/${prefix}`,
    host: toText(host),
    dns: toText(dns),
    dhcpStart: toText(dhcpStart),
  };
}
