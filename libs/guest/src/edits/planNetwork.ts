import type { Finding, GuestFacts, GuestNeeds, GuestNicFacts, PlannedNic } from '@ascend/domain';
import { isInterfaceName, toMac } from '../network/address.ts';
import type { GuestEdit } from './guestEdit.ts';
import type { PlannedEdits } from './planDrivers.ts';

/** First systemd whose `.link` files understand `Type=ether` (NEWS of version 245). */
const firstVersionWithEther = 245;

function sameHost(left: string, right: string): boolean {
  return left.split('/')[0] === right.split('/')[0];
}

/** The guest's interface behind a card: by name, by MAC, by address, or because there is one of each. */
function matchNic(
  nic: PlannedNic,
  guest: readonly GuestNicFacts[],
  isOnly: boolean,
): GuestNicFacts | undefined {
  const mac = nic.mac === null ? null : toMac(nic.mac);
  return (
    guest.find((candidate) => nic.guestName !== null && candidate.name === nic.guestName) ??
    guest.find((candidate) => mac !== null && candidate.mac === mac) ??
    guest.find((candidate) =>
      candidate.addresses.some((address) => nic.addresses.some((wanted) => sameHost(address, wanted))),
    ) ??
    (isOnly && guest.length === 1 ? guest[0] : undefined)
  );
}

function linkFile(match: readonly string[], name: string): string {
  return [
    '# Written by Ascend: keeps the name of this interface, so that its configuration still applies.',
    '[Match]',
    ...match,
    '',
    '[Link]',
    `Name=${name}`,
    '',
  ].join('\n');
}

function unknownNic(nic: PlannedNic, why: string): Finding {
  return {
    code: 'GUEST_NIC_UNKNOWN',
    severity: 'warning',
    subject: `nic:${nic.nicIndex}`,
    message: `interface of network card ${nic.nicIndex} is not known: ${why}`,
    evidence: `mac ${nic.mac ?? 'unknown'}, addresses ${nic.addresses.join(' ') || 'none'}`,
    action:
      'give the MAC addresses in the VM specification or with --mac; else set the address after the restore',
  };
}

interface NicContext {
  readonly guest: GuestFacts;
  readonly needs: GuestNeeds;
  readonly isOnly: boolean;
}

/** How the interface is recognised on the target; null when it cannot be. */
function matchLines(
  nic: PlannedNic,
  own: GuestNicFacts | undefined,
  context: NicContext,
): readonly string[] | null {
  const mac = toMac(nic.mac ?? own?.mac ?? '');
  // VLANs and bridges take the MAC of their card; without Type they would be given its name as well.
  const version = context.guest.boot?.systemdVersion ?? 0;
  const type = version >= firstVersionWithEther ? ['Type=ether'] : [];
  if (mac !== null) return [`MACAddress=${mac}`, ...type];
  const drivers = context.needs.linuxNetworkModules;
  return context.isOnly && drivers.length > 0 ? [`Driver=${drivers.join(' ')}`, ...type] : null;
}

function pin(
  nic: PlannedNic,
  name: string,
  match: readonly string[],
  own: GuestNicFacts | undefined,
): PlannedEdits {
  const addresses = own?.addresses ?? [];
  const edit: GuestEdit = {
    kind: 'write-file',
    path: `etc/systemd/network/10-ascend-${name}.link`,
    content: linkFile(match, name),
    mode: 0o644,
    reason: `interface ${name} keeps its name, and with it ${addresses.join(', ') || 'its configuration'}`,
  };
  const finding: Finding = {
    code: 'GUEST_NIC_NAME_UNSTABLE',
    severity: 'fixed',
    subject: `nic:${nic.nicIndex}`,
    message: `interface ${name} would get another name on the target`,
    evidence: `${own?.configPath ?? 'no configuration'}: ${addresses.join(' ') || 'no static address'}`,
    action: `its name is bound to ${match.join(' ')} on the overlay`,
  };
  return { edits: [edit], findings: [finding] };
}

function unpinned(nic: PlannedNic, why: string): PlannedEdits {
  return { edits: [], findings: [unknownNic(nic, why)] };
}

/** An interface that the guest itself recognises by MAC needs no name. */
function isKnownByMac(nic: PlannedNic, own: GuestNicFacts | undefined): boolean {
  return own !== undefined && own.mac !== null && own.mac === toMac(nic.mac ?? '');
}

function planNic(nic: PlannedNic, context: NicContext): PlannedEdits {
  if (nic.rule === 'platform-dhcp') {
    return unpinned(nic, 'the target gives the address, and guests are not switched to DHCP yet');
  }
  const { nics } = context.guest;
  const own = matchNic(nic, nics, context.isOnly);
  const name = nic.guestName ?? own?.name ?? '';
  if (isInterfaceName(name)) {
    const match = matchLines(nic, own, context);
    return match === null
      ? unpinned(nic, `its MAC is unknown and "${name}" is not the only one`)
      : pin(nic, name, match, own);
  }
  if (isKnownByMac(nic, own)) return { edits: [], findings: [] };
  return unpinned(
    nic,
    nics.length === 0 ? 'the guest has no network configuration' : 'nothing in the guest fits it',
  );
}

function planCloudInit(guest: GuestFacts): PlannedEdits {
  if (guest.boot?.cloudInit !== true) return { edits: [], findings: [] };
  const path = 'etc/cloud/cloud.cfg.d/99-ascend-network.cfg';
  return {
    edits: [
      {
        kind: 'write-file',
        path,
        content:
          '# Written by Ascend: the restored network configuration stays.\nnetwork: {config: disabled}\n',
        mode: 0o644,
        reason: 'cloud-init sees a new machine and would write the network configuration anew',
      },
    ],
    findings: [
      {
        code: 'GUEST_NETWORK_RESET',
        severity: 'fixed',
        subject: 'guest',
        message: 'cloud-init would write the network configuration anew on the target',
        evidence: 'usr/bin/cloud-init is installed and not disabled',
        action: `its network part is switched off in ${path}`,
      },
    ],
  };
}

function clashFinding(guest: GuestFacts): readonly Finding[] {
  const kernelNames = guest.nics.map((nic) => nic.name).filter((name) => /^eth\d+$/.test(name));
  if (kernelNames.length < 2) return [];
  return [
    {
      code: 'GUEST_NIC_UNKNOWN',
      severity: 'warning',
      subject: 'guest',
      message: `${kernelNames.length} interfaces have names that the kernel itself gives`,
      evidence: kernelNames.join(', '),
      action: 'check after the restore that no two interfaces have changed places',
    },
  ];
}

/** Plans that interfaces keep their names, so that static addresses survive. */
export function planNetwork(guest: GuestFacts, needs: GuestNeeds, nics: readonly PlannedNic[]): PlannedEdits {
  const context: NicContext = { guest, needs, isOnly: nics.length === 1 };
  const parts = nics.map((nic) => planNic(nic, context));
  if (needs.networkIdentity === 'pin-by-mac') parts.push(planCloudInit(guest));
  return {
    edits: parts.flatMap((part) => part.edits),
    findings: [...parts.flatMap((part) => part.findings), ...(nics.length === 0 ? [] : clashFinding(guest))],
  };
}
