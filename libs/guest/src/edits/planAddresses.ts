import type { AddressRule, GuestFacts } from '@ascend/domain';
import { addressRulesProblem, moveAddresses } from '@ascend/domain/addresses';
import type { GuestEdit } from './guestEdit.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

/**
 * Plans that addresses, gateways, routes and name servers of the old networks move to new ones, the host part kept.
 * `setAside`: files that are out of the way and need no change.
 */
export function planAddresses(
  guest: GuestFacts,
  rules: readonly AddressRule[],
  setAside: ReadonlySet<string>,
): PlannedEdits {
  if (rules.length === 0) return nothingPlanned;
  const problem = addressRulesProblem(rules);
  const networks = rules.map((rule) => `${rule.from} to ${rule.to}`).join(', ');
  if (problem !== null) {
    const finding = guestFinding({
      code: 'GUEST_ADDRESS_RULE_UNUSABLE',
      severity: 'blocked',
      message: `a rule for addresses cannot be used: ${problem}`,
      evidence: networks,
      action: 'give two networks of the same family and size that overlap no other rule',
    });
    return { edits: [], findings: [finding] };
  }
  const edits = (guest.linux?.networkFiles ?? [])
    .filter(({ path }) => !setAside.has(path))
    .map(({ path, addresses }) => ({ path, replacements: moveAddresses(addresses, rules) }))
    .filter(({ replacements }) => Object.keys(replacements).length > 0)
    .map(({ path, replacements }): GuestEdit => ({
      kind: 'replace-addresses',
      path,
      replacements,
      reason: `addresses move from ${networks}`,
    }));
  const moved = new Set(
    edits
      .flatMap((edit) => (edit.kind === 'replace-addresses' ? Object.entries(edit.replacements) : []))
      .map(([from, to]) => `${from} to ${to}`),
  );
  const finding = guestFinding({
    code: 'GUEST_ADDRESS_MOVED',
    severity: moved.size > 0 ? 'fixed' : 'warning',
    message: `${moved.size} addresses of the guest move to another network`,
    evidence: [...moved].join(', ') || `no file of the guest holds an address of ${networks}`,
    action: moved.size > 0 ? 'they are replaced on the overlay' : 'check the rules against the guest',
  });
  return { edits, findings: [finding] };
}
