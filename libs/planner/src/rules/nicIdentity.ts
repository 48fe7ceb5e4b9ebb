import type {
  AddressRule,
  Finding,
  GuestNeeds,
  GuestNicFacts,
  PlannedNic,
  VmNic,
  VmSpec,
} from '@ascend/domain';
import { movedAddresses } from '@ascend/domain/addresses';
import { finding, type Chosen } from '../finding.ts';
import { legalMac, matchGuestNics } from './guestNics.ts';

/** What tells which network interfaces a VM has and how the guest knows them. */
export interface NicSources {
  /** null = nothing but the guest's own files tells. */
  readonly vmSpec: VmSpec | null;
  readonly guestNics: readonly GuestNicFacts[];
  /** nicIndex → MAC, where neither specification nor guest tells. */
  readonly macs: Readonly<Record<string, string>>;
  /** The platform decides the MAC addresses itself. */
  readonly ownsMac: boolean;
  readonly networkIdentity: GuestNeeds['networkIdentity'];
  /** Networks whose addresses move inside the guest: the interface has the new ones. */
  readonly addressRules: readonly AddressRule[];
}

/** One interface of the VM to be, without what the target adds to it. */
export interface IdentifiedNic {
  readonly specified: VmNic;
  readonly identity: Omit<PlannedNic, 'model' | 'network'>;
  readonly findings: readonly Finding[];
}

interface KnownNic {
  readonly nic: VmNic;
  readonly guestNic: GuestNicFacts | null;
}

const nicMissing = finding({
  code: 'PLAN_NIC_MISSING',
  severity: 'warning',
  subject: 'guest',
  message: 'nothing tells which network interfaces the VM had; it gets none',
});

/** Interfaces as specified; without a specification those the guest's own files describe. */
function knownNics({ vmSpec, guestNics }: NicSources): Chosen<readonly KnownNic[]> {
  if (vmSpec === null) {
    const value = guestNics.map((guestNic, nicIndex) => ({
      nic: { nicIndex, mac: guestNic.mac, network: null, model: null, addresses: guestNic.addresses },
      guestNic,
    }));
    return { value, findings: value.length === 0 ? [nicMissing] : [] };
  }
  const nics = [...vmSpec.nics].sort((a, b) => a.nicIndex - b.nicIndex);
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

function identify(sources: NicSources, { nic, guestNic }: KnownNic): IdentifiedNic {
  const { nicIndex } = nic;
  const { macs, ownsMac, networkIdentity, addressRules } = sources;
  const had = nic.addresses.length > 0 ? nic.addresses : (guestNic?.addresses ?? []);
  const known = legalMac(nic.mac) ?? legalMac(guestNic?.mac) ?? legalMac(macs[String(nicIndex)]);
  const keep = known === null ? 'unknown-mac' : 'keep-mac-and-address';
  const unknown = finding({
    code: 'PLAN_NIC_MAC_UNKNOWN',
    severity: 'warning',
    subject: `nic:${nicIndex}`,
    message: `nothing tells the MAC address of nic ${nicIndex}; the target chooses one`,
    evidence: guestNic === null ? 'no configuration found in the guest' : guestNic.configPath,
  });
  return {
    specified: nic,
    identity: {
      nicIndex,
      mac: ownsMac ? null : known,
      guestName: guestNic?.name ?? null,
      addresses: movedAddresses(had, addressRules),
      rule: networkIdentity === 'platform-dhcp' ? 'platform-dhcp' : keep,
    },
    findings: known === null && !ownsMac ? [unknown] : [],
  };
}

/** The interfaces of the new VM with the identity rule that applies to each; findings are about all of them together. */
export function identifyNics(sources: NicSources): Chosen<readonly IdentifiedNic[]> {
  const known = knownNics(sources);
  return { value: known.value.map((one) => identify(sources, one)), findings: known.findings };
}
