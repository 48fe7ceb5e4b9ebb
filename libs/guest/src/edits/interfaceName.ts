import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import type { GuestEdit } from './guestEdit.ts';

/** How a network card is recognised on the target. */
export type NicMatch = { readonly mac: string } | { readonly drivers: readonly string[] };

/** First systemd whose `.link` files understand `Type=ether` (NEWS of version 245). */
const firstVersionWithEther = 245;
/** First systemd whose udev reads `.link` files (NEWS of version 209). */
const firstVersionWithLinks = 209;

/** Driver names by which a card of the target is recognised when its MAC is not known. */
export function nicDrivers(needs: GuestNeeds): readonly string[] {
  return needs.nicDrivers ?? needs.linuxNetworkModules;
}

/** In words, for findings. */
export function describeMatch(match: NicMatch): string {
  return 'mac' in match ? `MAC ${match.mac}` : `driver ${match.drivers.join(' or ')}`;
}

function linkFile(match: NicMatch, name: string, version: number): string {
  return [
    '# Written by Ascend: keeps the name of this interface, so that its configuration still applies.',
    '[Match]',
    'mac' in match ? `MACAddress=${match.mac}` : `Driver=${match.drivers.join(' ')}`,
    // VLANs and bridges take the MAC of their card; without Type they would be given its name as well.
    ...(version >= firstVersionWithEther ? ['Type=ether'] : []),
    '',
    '[Link]',
    `Name=${name}`,
    '',
  ].join('\n');
}

function udevRule(match: NicMatch, name: string): string {
  const card =
    'mac' in match ? `DRIVERS=="?*", ATTR{address}=="${match.mac}"` : `DRIVERS=="${match.drivers.join('|')}"`;
  return `SUBSYSTEM=="net", ACTION=="add", ${card}, ATTR{type}=="1", NAME="${name}"`;
}

/** Does the guest's udev read `.link` files? Unknown versions of systemd count as new, systems without it as old. */
function readsLinks(guest: GuestFacts): boolean {
  const version = guest.boot?.systemdVersion ?? null;
  if (version !== null) return version >= firstVersionWithLinks;
  return guest.linux?.init !== 'sysv';
}

/** The edit that binds `name` to the card: a `.link` file, or a udev rule on systems that do not read those. */
export function nameEdit(guest: GuestFacts, name: string, match: NicMatch, reason: string): GuestEdit {
  return readsLinks(guest)
    ? {
        kind: 'write-file',
        path: `etc/systemd/network/10-ascend-${name}.link`,
        content: linkFile(match, name, guest.boot?.systemdVersion ?? 0),
        mode: 0o644,
        reason,
      }
    : {
        kind: 'add-lines',
        path: 'etc/udev/rules.d/70-ascend-net.rules',
        lines: [udevRule(match, name)],
        reason,
      };
}
