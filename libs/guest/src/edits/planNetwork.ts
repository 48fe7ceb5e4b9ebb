import type { Finding, GuestFacts, GuestNeeds, GuestNicFacts, PlannedNic } from '@ascend/domain';
import { isInterfaceName, toMac } from '../network/address.ts';
import { asidePath, type GuestEdit } from './guestEdit.ts';
import { describeMatch, nameEdit, nicDrivers, type NicMatch } from './interfaceName.ts';
import { recognisesByMac, replaceMacLine } from './macLines.ts';
import { planDhcp } from './planDhcp.ts';
import type { PlannedEdits } from './planFinding.ts';

/** The plan for all cards, and the kernel arguments it counts on. */
export interface NetworkPlan extends PlannedEdits {
  readonly kernelArguments: readonly string[];
}

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
function matchOf(nic: PlannedNic, own: GuestNicFacts | undefined, context: NicContext): NicMatch | null {
  const drivers = nicDrivers(context.needs);
  const planned = toMac(nic.mac ?? '');
  if (planned !== null) return { mac: planned };
  // The platform chooses the MAC: of one card the driver tells, of several the old MAC is the best guess.
  if (context.isOnly && drivers.length > 0) return { drivers };
  const old = toMac(own?.mac ?? '');
  return old === null ? null : { mac: old };
}

/** Lines that recognise the interface by its old MAC get the new one, or go by driver. */
function macEdits(
  own: GuestNicFacts | undefined,
  match: NicMatch,
  context: NicContext,
): readonly GuestEdit[] {
  const mac = 'mac' in match ? match.mac : null;
  const lines = (own?.macLines ?? []).filter(recognisesByMac);
  if (own === undefined || lines.length === 0 || mac === own.mac) return [];
  const drivers = nicDrivers(context.needs);
  return [
    {
      kind: 'replace-lines',
      path: own.configPath,
      replacements: Object.fromEntries(lines.map((line) => [line, replaceMacLine(line, mac, drivers)])),
      reason: `the card has ${describeMatch(match)} on the target, not MAC ${own.mac ?? 'unknown'}`,
    },
  ];
}

function pin(
  nic: PlannedNic,
  name: string,
  own: GuestNicFacts | undefined,
  match: NicMatch,
  context: NicContext,
): PlannedEdits {
  const addresses = own?.addresses ?? [];
  const kept = addresses.join(', ') || 'its configuration';
  const reason = `interface ${name} keeps its name, and with it ${kept}`;
  const finding: Finding = {
    code: 'GUEST_NIC_NAME_UNSTABLE',
    severity: 'fixed',
    subject: `nic:${nic.nicIndex}`,
    message: `interface ${name} would get another name on the target`,
    evidence: `${own?.configPath ?? 'no configuration'}: ${addresses.join(' ') || 'no static address'}`,
    action: `its name is bound to ${describeMatch(match)} on the overlay`,
  };
  return {
    edits: [...macEdits(own, match, context), nameEdit(context.guest, name, match, reason)],
    findings: [finding],
  };
}

function unpinned(nic: PlannedNic, why: string): PlannedEdits {
  return { edits: [], findings: [unknownNic(nic, why)] };
}

/** An interface that the guest itself recognises by MAC needs no name. */
function isKnownByMac(nic: PlannedNic, own: GuestNicFacts | undefined): boolean {
  return own !== undefined && own.mac !== null && own.mac === toMac(nic.mac ?? '');
}

function planNic(nic: PlannedNic, context: NicContext): PlannedEdits {
  const { nics } = context.guest;
  const own = matchNic(nic, nics, context.isOnly);
  const name = nic.guestName ?? own?.name ?? '';
  if (isInterfaceName(name)) {
    const match = matchOf(nic, own, context);
    return match === null
      ? unpinned(nic, `its MAC is unknown and "${name}" is not the only one`)
      : pin(nic, name, own, match, context);
  }
  if (isKnownByMac(nic, own)) return { edits: [], findings: [] };
  const match = own === undefined ? null : matchOf(nic, own, context);
  const byMac = match === null ? [] : macEdits(own, match, context);
  if (byMac.length > 0) return { edits: byMac, findings: [] };
  return unpinned(
    nic,
    nics.length === 0 ? 'the guest has no network configuration' : 'nothing in the guest fits it',
  );
}

/** Old rules that would give a card another name than the one it is bound to; the others hold still. */
function planOldRules(guest: GuestFacts, nics: readonly PlannedNic[]): readonly GuestEdit[] {
  const macs = new Set(nics.map((nic) => toMac(nic.mac ?? '')));
  const stale = (guest.linux?.persistentNames ?? []).filter(({ mac }) => !macs.has(mac));
  const paths = nics.length === 0 ? [] : [...new Set(stale.map(({ path }) => path))];
  const reason = 'it binds names to MACs that no card has on the target';
  return paths.map((path) => ({ kind: 'set-aside', path, to: asidePath(path), reason }));
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

function planPins(guest: GuestFacts, needs: GuestNeeds, nics: readonly PlannedNic[]): NetworkPlan {
  const context: NicContext = { guest, needs, isOnly: nics.length === 1 };
  const parts = nics.map((nic) => planNic(nic, context));
  return {
    edits: [...planOldRules(guest, nics), ...parts.flatMap((part) => part.edits)],
    findings: [...parts.flatMap((part) => part.findings), ...(nics.length === 0 ? [] : clashFinding(guest))],
    kernelArguments: [],
  };
}

/**
 * Plans the network by the target's rule. `pin-by-mac`: interfaces keep their names, so that all addresses, routes and
 * name servers survive untouched. `platform-dhcp`: the guest asks the platform, its own configuration is kept aside.
 */
export function planNetwork(guest: GuestFacts, needs: GuestNeeds, nics: readonly PlannedNic[]): NetworkPlan {
  const dhcp = nics.filter((nic) => nic.rule === 'platform-dhcp');
  const plan = dhcp.length === 0 ? null : planDhcp(guest, needs, nics);
  if (plan !== null) return plan;
  const pins = planPins(
    guest,
    needs,
    nics.filter((nic) => nic.rule !== 'platform-dhcp'),
  );
  const unknown = dhcp.map((nic) => unknownNic(nic, 'the guest has no network configuration'));
  return { ...pins, findings: [...unknown, ...pins.findings] };
}
