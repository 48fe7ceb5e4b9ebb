import type { Finding, GuestNicFacts, PlannedNic, RestorePolicy, VmNic } from '@ascend/domain';
import { finding, type Chosen } from '../finding.ts';
import { nothing, type PlanParams } from '../params.ts';
import { legalMac, matchGuestNics } from './guestNics.ts';
import { chooseNetwork } from './networks.ts';

interface KnownNic {
  readonly nic: VmNic;
  readonly guestNic: GuestNicFacts | null;
}

/** Interfaces as specified; without a specification those the guest's own files describe. */
function knownNics(params: PlanParams): Chosen<readonly KnownNic[]> {
  const guestNics = params.facts.guest.nics;
  if (params.vmSpec === null) {
    const value = guestNics.map((guestNic, nicIndex) => ({
      nic: { nicIndex, mac: guestNic.mac, network: null, model: null, addresses: guestNic.addresses },
      guestNic,
    }));
    return { value, findings: value.length === 0 ? [nicMissing] : [] };
  }
  const nics = [...params.vmSpec.nics].sort((a, b) => a.nicIndex - b.nicIndex);
  const match = matchGuestNics(nics, guestNics);
  return {
    value: nics.map((nic) => ({ nic, guestNic: match.byNic.get(nic.nicIndex) ?? null })),
    findings: match.guessed.map(({ nicIndex, guestName }) =>
      finding({
        code: 'PLAN_NIC_MATCH_GUESSED',
        severity: 'warning',
        subject: `nic:${nicIndex}`,
        message: `nic ${nicIndex} is taken for ${guestName} of the guest by order only`,
      }),
    ),
  };
}

const nicMissing = finding({
  code: 'PLAN_NIC_MISSING',
  severity: 'warning',
  subject: 'guest',
  message: 'nothing tells which network interfaces the VM had; it gets none',
});

function modelOf(params: PlanParams, policy: RestorePolicy, nic: VmNic): string {
  const offered = params.platform.capabilities.nicModels;
  // As with disk buses: only a guest that is not prepared keeps the model it has drivers for.
  const kept = !policy.prepareGuest && nic.model !== null && offered.includes(nic.model) ? nic.model : null;
  return kept ?? offered[0] ?? nothing;
}

function planNic(
  params: PlanParams,
  policy: RestorePolicy,
  nic: VmNic,
  guestNic: GuestNicFacts | null,
): Chosen<PlannedNic> {
  const { capabilities, guestNeeds } = params.platform;
  const network = chooseNetwork(params, policy, { nicIndex: nic.nicIndex, sourceNetwork: nic.network });
  const known = legalMac(nic.mac) ?? legalMac(guestNic?.mac) ?? legalMac(policy.macs[String(nic.nicIndex)]);
  const findings = [...network.findings];
  const platformDhcp = guestNeeds.networkIdentity === 'platform-dhcp';
  const addresses = nic.addresses.length > 0 ? nic.addresses : (guestNic?.addresses ?? []);
  if (known === null && !capabilities.ownsMac) {
    findings.push(
      finding({
        code: 'PLAN_NIC_MAC_UNKNOWN',
        severity: 'warning',
        subject: `nic:${nic.nicIndex}`,
        message: `nothing tells the MAC address of nic ${nic.nicIndex}; the target chooses one`,
        evidence: guestNic === null ? 'no configuration found in the guest' : guestNic.configPath,
      }),
    );
  }
  const keep = known === null ? 'unknown-mac' : 'keep-mac-and-address';
  return {
    value: {
      nicIndex: nic.nicIndex,
      mac: capabilities.ownsMac ? null : known,
      model: modelOf(params, policy, nic),
      network: network.value,
      guestName: guestNic?.name ?? null,
      addresses,
      rule: platformDhcp ? 'platform-dhcp' : keep,
    },
    findings,
  };
}

function setFindings(params: PlanParams, nics: readonly PlannedNic[]): Finding[] {
  const { maxNics } = params.platform.capabilities;
  const found: Finding[] = [];
  if (nics.length > maxNics.value) {
    found.push(
      finding({
        code: 'PLAN_NICS_TOO_MANY',
        severity: 'blocked',
        subject: 'target',
        message: `the VM has ${nics.length} network interfaces, the platform allows ${maxNics.value}`,
        evidence: `${maxNics.source}, read ${maxNics.readOn}`,
      }),
    );
  }
  const seen = new Set<string>();
  for (const { mac, nicIndex } of nics) {
    if (mac !== null && seen.has(mac)) {
      found.push(
        finding({
          code: 'PLAN_NIC_MAC_DUPLICATE',
          severity: 'blocked',
          subject: `nic:${nicIndex}`,
          message: `nic ${nicIndex} has MAC address ${mac}, which an earlier one has too`,
        }),
      );
    }
    if (mac !== null) seen.add(mac);
  }
  return found;
}

/** Network interfaces of the new VM with the identity rule that applies to each. */
export function planNics(params: PlanParams, policy: RestorePolicy): Chosen<readonly PlannedNic[]> {
  const known = knownNics(params);
  const planned = known.value.map(({ nic, guestNic }) => planNic(params, policy, nic, guestNic));
  const value = planned.map((nic) => nic.value);
  return {
    value,
    findings: [...known.findings, ...planned.flatMap((nic) => nic.findings), ...setFindings(params, value)],
  };
}
