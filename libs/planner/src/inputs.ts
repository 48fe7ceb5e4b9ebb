import type { RestorePlan, RestorePolicy } from '@ascend/domain';
import { contentHash } from './canonical.ts';
import type { PlanParams } from './params.ts';
import type { Compute } from './rules/compute.ts';
import type { Placement } from './rules/placement.ts';

/** One input that differs between two plans; null = the plan did not have it. */
export interface InputChange {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** What the agent has for guests, where the guest is prepared and the agent has anything. */
function guestSourceInput(
  { facts }: PlanParams,
  policy: RestorePolicy,
  { sourceAgent }: Placement,
): Readonly<Record<string, string>> {
  const sources = sourceAgent?.capabilities.guestSources;
  if (!policy.prepareGuest || sources === undefined) return {};
  const { windowsDrivers, agentPackages } = sources;
  const used = { agentPackages, windowsDrivers: facts.guest.family === 'windows' ? windowsDrivers : null };
  return used.agentPackages === null && used.windowsDrivers === null
    ? {}
    : { 'source.guest-sources': contentHash(used) };
}

/**
 * The inputs of a plan by name (D3): only what the plan was made from, and of the target only what it used. Free space is
 * not among them, because it changes all the time and is checked again by validate-target.
 */
export function planInputs(
  params: PlanParams,
  policy: RestorePolicy,
  chosen: { readonly name: string; readonly compute: Compute; readonly placement: Placement },
): Readonly<Record<string, string>> {
  const { restorePoint, facts, targetFacts, platform } = params;
  const { compute, placement } = chosen;
  return {
    'backup.id': restorePoint.backupId,
    'backup.record': contentHash(restorePoint),
    'source.fingerprint': facts.fingerprint,
    'source.guest': contentHash(facts.guest),
    ...guestSourceInput(params, policy, placement),
    'source.placement': contentHash([placement.sourceAgentId, placement.rootPath]),
    'vm.spec': contentHash(params.vmSpec),
    policy: contentHash(policy),
    'platform.data': platform.dataVersion,
    'target.id': params.target.targetId,
    'target.placement': placement.targetAgentId,
    'target.name-taken': String(targetFacts.vmNames.includes(chosen.name)),
    'target.storages': contentHash(targetFacts.storages.map((storage) => storage.name).sort()),
    'target.networks': contentHash(targetFacts.networks.map((network) => network.name).sort()),
    'target.acceleration': targetFacts.acceleration,
    'target.fits-cpu': String(targetFacts.cpuCount === 0 || compute.cpuCount <= targetFacts.cpuCount),
    'target.fits-memory': String(
      targetFacts.memoryBytes === 0 || compute.memoryBytes <= targetFacts.memoryBytes,
    ),
  };
}

/** The hash by which a stored plan is recognised as stale. */
export function inputsHash(inputs: Readonly<Record<string, string>>): string {
  return contentHash(inputs);
}

/** What changed between a stored plan and today's, by name and in name order; empty when both are made from the same. */
export function diffInputs(
  before: Pick<RestorePlan, 'inputs'>,
  after: Pick<RestorePlan, 'inputs'>,
): readonly InputChange[] {
  const old = new Map(Object.entries(before.inputs));
  const now = new Map(Object.entries(after.inputs));
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort()
    .map((name) => ({ name, before: old.get(name) ?? null, after: now.get(name) ?? null }))
    .filter((change) => change.before !== change.after);
}
