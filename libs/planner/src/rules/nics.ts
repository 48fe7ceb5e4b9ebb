import type { Finding, GuestNeeds, PlannedNic, RestorePolicy, VmNic } from '@ascend/domain';
import { finding, type Chosen } from '../finding.ts';
import { nothing, type PlanParams } from '../params.ts';
import { chooseNetwork } from './networks.ts';
import { identifyNics } from './nicIdentity.ts';

function modelOf(params: PlanParams, policy: RestorePolicy, nic: VmNic): string {
  const offered = params.platform.capabilities.nicModels;
  // As with disk buses: only a guest that is not prepared keeps the model it has drivers for.
  const kept = !policy.prepareGuest && nic.model !== null && offered.includes(nic.model) ? nic.model : null;
  return kept ?? offered[0] ?? nothing;
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
export function planNics(
  params: PlanParams,
  policy: RestorePolicy,
  needs: GuestNeeds,
): Chosen<readonly PlannedNic[]> {
  const identified = identifyNics({
    vmSpec: params.vmSpec,
    guestNics: params.facts.guest.nics,
    macs: policy.macs,
    ownsMac: params.platform.capabilities.ownsMac,
    networkIdentity: needs.networkIdentity,
    addressRules: policy.prepareGuest ? policy.addressRules : [],
  });
  const planned = identified.value.map(({ specified, identity, findings }) => {
    const { nicIndex, network: sourceNetwork } = specified;
    const network = chooseNetwork(params, policy, { nicIndex, sourceNetwork });
    return {
      nic: { ...identity, model: modelOf(params, policy, specified), network: network.value },
      findings: [...network.findings, ...findings],
    };
  });
  const value = planned.map(({ nic }) => nic);
  return {
    value,
    findings: [
      ...identified.findings,
      ...planned.flatMap(({ findings }) => findings),
      ...setFindings(params, value),
    ],
  };
}
