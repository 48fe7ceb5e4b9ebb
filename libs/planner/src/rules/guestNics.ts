import type { GuestNicFacts, VmNic } from '@ascend/domain';

/** Canonical form of a MAC address, or null when it is none that an interface could have (multicast, all zeros, other text). */
export function legalMac(text: string | null | undefined): string | null {
  const mac = (text ?? '').toLowerCase().replaceAll('-', ':');
  // The lowest bit of the first octet marks multicast; hypervisors refuse such an address.
  if (!/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac)) return null;
  return mac === '00:00:00:00:00:00' ? null : mac;
}

/** Which interface of the guest is which of the specification. */
export interface NicMatch {
  readonly byNic: ReadonlyMap<number, GuestNicFacts>;
  /** Pairs that were made by order only. */
  readonly guessed: readonly { readonly nicIndex: number; readonly guestName: string }[];
}

/**
 * Pairs the interfaces of a specification with those the guest's files describe: by MAC address first; a single one left
 * over on both sides is the same one; several left over are paired by order, as a guess. Two different MAC addresses never pair.
 */
export function matchGuestNics(nics: readonly VmNic[], guestNics: readonly GuestNicFacts[]): NicMatch {
  const byNic = new Map<number, GuestNicFacts>();
  const free = new Set(guestNics);
  for (const nic of nics) {
    const mac = legalMac(nic.mac);
    const same = [...free].find((guestNic) => mac !== null && legalMac(guestNic.mac) === mac);
    if (same !== undefined) {
      byNic.set(nic.nicIndex, same);
      free.delete(same);
    }
  }
  const left = nics.filter((nic) => !byNic.has(nic.nicIndex));
  const certain = left.length === 1 && free.size === 1;
  const guessed: { nicIndex: number; guestName: string }[] = [];
  for (const nic of left) {
    const next = [...free].find((guestNic) => legalMac(nic.mac) === null || legalMac(guestNic.mac) === null);
    if (next !== undefined) {
      byNic.set(nic.nicIndex, next);
      free.delete(next);
      if (!certain) guessed.push({ nicIndex: nic.nicIndex, guestName: next.name });
    }
  }
  return { byNic, guessed };
}
