import type { AddressRule, Finding, WindowsFacts } from '@ascend/domain';
import { addressRulesProblem, movedAddresses } from '@ascend/domain/addresses';
import { guestFinding, type PlannedEdits } from '../../edits/planFinding.ts';
import type { PlanEditsParams } from '../../edits/planEdits.ts';
import type { DriverFolder } from '../drivers/driverFolder.ts';
import { planWindowsEdits } from '../plan/planWindowsEdits.ts';

/** What this machine has for Windows guests, and what the operator allows. */
export interface WindowsSources {
  /** Driver packages; null = none configured. */
  readonly drivers: DriverFolder | null;
  /** Edit a file system that was in use when it was backed up: its own log is dropped. */
  readonly acceptDirtyFileSystem: boolean;
}

/** Nothing is configured and nothing allowed. */
const noSources: WindowsSources = { drivers: null, acceptDirtyFileSystem: false };

function refuse(message: string, action: string): PlannedEdits {
  const about = { severity: 'blocked', message, evidence: '', action } as const;
  return { edits: [], findings: [guestFinding({ code: 'GUEST_UNRECOGNISED', ...about })] };
}

interface MovedFacts {
  readonly facts: WindowsFacts;
  readonly findings: readonly Finding[];
}

/** Windows keeps addresses by network card: the first boot gives the new card the moved ones. */
function moveInterfaces(facts: WindowsFacts, rules: readonly AddressRule[]): MovedFacts {
  if (rules.length === 0) return { facts, findings: [] };
  const networks = rules.map((rule) => `${rule.from} to ${rule.to}`).join(', ');
  const problem = addressRulesProblem(rules);
  if (problem !== null) {
    const finding = guestFinding({
      code: 'GUEST_ADDRESS_RULE_UNUSABLE',
      severity: 'blocked',
      message: `a rule for addresses cannot be used: ${problem}`,
      evidence: networks,
      action: 'give two networks of the same family and size that overlap no other rule',
    });
    return { facts, findings: [finding] };
  }
  const move = (addresses: readonly string[]): readonly string[] => movedAddresses(addresses, rules);
  const interfaces = facts.interfaces.map((nic) => ({
    id: nic.id,
    name: nic.name,
    mac: nic.mac,
    dhcp: nic.dhcp,
    addresses: move(nic.addresses),
    gateways: move(nic.gateways),
    dnsServers: move(nic.dnsServers),
  }));
  const before = facts.interfaces.flatMap(({ addresses }) => addresses);
  const after = interfaces.flatMap(({ addresses }) => addresses);
  const moved = before.flatMap((address, index) =>
    address === after[index] ? [] : [`${address} to ${after[index] ?? ''}`],
  );
  const finding = guestFinding({
    code: 'GUEST_ADDRESS_MOVED',
    severity: moved.length > 0 ? 'fixed' : 'warning',
    message: `${moved.length} addresses of the guest move to another network`,
    evidence: moved.join(', ') || `no interface of the guest has an address of ${networks}`,
    action: moved.length > 0 ? 'first boot sets them' : 'check the rules against the guest',
  });
  return { facts: { ...facts, interfaces }, findings: [finding] };
}

function scriptFindings(script: string | null): readonly Finding[] {
  if (script === null) return [];
  const finding = guestFinding({
    code: 'GUEST_FIRST_BOOT_SCRIPT',
    severity: 'warning',
    message: 'a script of the operator runs in Linux guests alone; it is left out',
    evidence: `${Buffer.byteLength(script)} bytes`,
    action: 'run it after the restore',
  });
  return [finding];
}

/** Plans the edits of a Windows guest: pure, a dry run that touches nothing. */
export function planWindowsGuest(params: PlanEditsParams, more: readonly Finding[]): PlannedEdits {
  const { guest, needs, nics, addressRules = [], firstBootScript = null } = params;
  if (guest.windows === undefined)
    return refuse('nothing of the Windows guest is known', 'analyse the restore point again');
  if (needs.windows === undefined)
    return refuse('it is not known what a Windows guest needs on this hardware', 'choose another target');
  const moved = moveInterfaces(guest.windows, addressRules);
  const planned = planWindowsEdits({
    facts: moved.facts,
    needs: needs.windows,
    networkIdentity: needs.networkIdentity,
    nics,
    esp: guest.windows.esp ?? null,
    unlocked: false,
    packages: params.packages ?? null,
    ...(params.windows ?? noSources),
  });
  const findings = [...more, ...planned.findings, ...moved.findings, ...scriptFindings(firstBootScript)];
  const isBlocked = findings.some(({ severity }) => severity === 'blocked');
  return { edits: isBlocked ? [] : planned.edits, findings };
}
