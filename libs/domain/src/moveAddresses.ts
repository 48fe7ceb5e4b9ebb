import { isIPv4, isIPv6 } from 'node:net';
import type { AddressRule } from './addressRule.ts';

interface Network {
  readonly family: 4 | 6;
  readonly bits: bigint;
  readonly prefix: number;
}

/** Rules as numbers, or the reason why they cannot be used. */
type ParsedRules =
  | { readonly rules: readonly { readonly from: Network; readonly to: Network }[] }
  | { readonly problem: string };

function groupsOf(part: string): readonly string[] {
  return part === '' ? [] : part.split(':');
}

/** The number of an address; null when it is none, or carries a zone. */
function toBits(address: string): { readonly family: 4 | 6; readonly bits: bigint } | null {
  if (isIPv4(address)) {
    return { family: 4, bits: address.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
  }
  if (!isIPv6(address) || address.includes('%') || address.includes('.')) return null;
  const [head = '', tail] = address.split('::');
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - front.length - back.length }, () => '0');
  const groups = [...front, ...zeros, ...back];
  return { family: 6, bits: groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n) };
}

/** Shortest form of RFC 5952 for IPv6: the first of the longest runs of zero groups becomes `::`. */
function fromBits(family: 4 | 6, bits: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bits >> BigInt(16 * (7 - index))) & 0xffffn).toString(16),
  );
  const runs = [...groups.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map((match) => match[0]);
  const longest = runs.toSorted((left, right) => right.length - left.length)[0];
  if (longest === undefined) return groups.join(':');
  const [before, ...after] = groups.join(':').split(longest);
  const rest = after.join(longest);
  return `${before ?? ''}::${rest.replace(/^:/, '')}`;
}

function widthOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function hostMask(network: Network): bigint {
  return (1n << BigInt(widthOf(network.family) - network.prefix)) - 1n;
}

function parseNetwork(text: string): Network | null {
  const [address = '', prefix = '', ...rest] = text.trim().split('/');
  const parsed = toBits(address);
  if (parsed === null || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return null;
  const network = { ...parsed, prefix: Number(prefix) };
  if (network.prefix > widthOf(network.family)) return null;
  return { ...network, bits: network.bits & ~hostMask(network) };
}

function contains(network: Network, address: { readonly family: 4 | 6; readonly bits: bigint }): boolean {
  return network.family === address.family && (address.bits & ~hostMask(network)) === network.bits;
}

function overlap(left: Network, right: Network): boolean {
  return contains(left, right) || contains(right, left);
}

function parseRules(rules: readonly AddressRule[]): ParsedRules {
  const parsed: { from: Network; to: Network }[] = [];
  for (const rule of rules) {
    const [from, to] = [parseNetwork(rule.from), parseNetwork(rule.to)];
    if (from === null || to === null) return { problem: `${rule.from} to ${rule.to} are not two networks` };
    if (from.family !== to.family || from.prefix !== to.prefix) {
      return {
        problem: `${rule.from} and ${rule.to} differ in family or size, so the host part cannot stay`,
      };
    }
    parsed.push({ from, to });
  }
  for (const [index, rule] of parsed.entries()) {
    if (parsed.slice(0, index).some((earlier) => overlap(earlier.from, rule.from))) {
      return { problem: `two rules move addresses of ${rules[index]?.from ?? ''}` };
    }
    // A second run over the result must change nothing.
    if (parsed.some((other) => overlap(other.from, rule.to))) {
      return { problem: `${rules[index]?.to ?? ''} overlaps a network that addresses are moved away from` };
    }
  }
  return { rules: parsed };
}

/** What is wrong with the rules, in words; null = they can be used. */
export function addressRulesProblem(rules: readonly AddressRule[]): string | null {
  const parsed = parseRules(rules);
  return 'problem' in parsed ? parsed.problem : null;
}

/** The new form of each address (without prefix) that a rule moves; the others are left out. Unusable rules move none. */
export function moveAddresses(
  addresses: readonly string[],
  rules: readonly AddressRule[],
): Readonly<Record<string, string>> {
  const parsed = parseRules(rules);
  if ('problem' in parsed) return {};
  const moved: [string, string][] = [];
  for (const address of addresses) {
    const bits = toBits(address);
    const rule = bits === null ? undefined : parsed.rules.find(({ from }) => contains(from, bits));
    if (bits === null || rule === undefined) continue;
    moved.push([address, fromBits(bits.family, rule.to.bits | (bits.bits & hostMask(rule.from)))]);
  }
  return Object.fromEntries(moved);
}

/** Addresses in CIDR notation (or bare) after the rules: those that no rule moves stay as they are. */
export function movedAddresses(
  addresses: readonly string[],
  rules: readonly AddressRule[],
): readonly string[] {
  if (rules.length === 0) return addresses;
  return addresses.map((text) => {
    const [address = '', ...prefix] = text.split('/');
    return [moveAddresses([address], rules)[address] ?? address, ...prefix].join('/');
  });
}
