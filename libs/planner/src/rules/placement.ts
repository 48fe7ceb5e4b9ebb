import type { AgentView, Finding, RestorePolicy } from '@ascend/domain';
import { finding, showBytes, showList, type Chosen } from '../finding.ts';
import { nothing, type PlanParams } from '../params.ts';

/** Who does the work. Both are the same agent unless the plan is blocked. */
export interface Placement {
  readonly sourceAgentId: string;
  readonly targetAgentId: string;
  /** Root of the repository on the source agent. */
  readonly rootPath: string;
  /** null when no agent can be named. */
  readonly sourceAgent: AgentView | null;
}

interface Need {
  readonly name: string;
  readonly met: boolean;
}

/** Programs and kernel features the steps of this plan need on the agent. */
function unmetNeeds(agent: AgentView, policy: RestorePolicy): readonly string[] {
  const can = agent.capabilities;
  const needs: Need[] = [{ name: 'qemu-img', met: can.qemuImgVersion !== null }];
  if (policy.prepareGuest) {
    // Two executors can edit a guest: on the host through FUSE in a sandbox, or the libguestfs appliance.
    const host = can.storageDaemonFuse && can.bubblewrap && (can.fuse2fs || can.runsAsRoot);
    needs.push({
      name: 'qemu-storage-daemon with FUSE, bubblewrap and fuse2fs (or libguestfs)',
      met: host || can.libguestfsVersion !== null,
    });
  }
  return needs.filter((need) => !need.met).map((need) => need.name);
}

/** Among agents that are equal otherwise, one with drivers comes first for a guest that may need them. */
function hasSources(agent: AgentView, params: PlanParams): boolean {
  const { windowsDrivers = null, agentPackages = null } = agent.capabilities.guestSources ?? {};
  return params.facts.guest.family === 'windows' ? windowsDrivers !== null : agentPackages !== null;
}

function compareAgents(
  params: PlanParams,
  policy: RestorePolicy,
  scratchBytes: number,
): (a: AgentView, b: AgentView) => number {
  const score = (agent: AgentView): number =>
    (policy.prepareGuest && hasSources(agent, params) ? 0.5 : 0) +
    (agent.online ? 4 : 0) +
    (unmetNeeds(agent, policy).length === 0 ? 2 : 0) +
    (agent.capabilities.scratchFreeBytes >= scratchBytes ? 1 : 0);
  return (a, b) => score(b) - score(a) || (a.agentId < b.agentId ? -1 : 1);
}

function agentFindings(agent: AgentView, policy: RestorePolicy, scratchBytes: number): Finding[] {
  const found: Finding[] = [];
  const subject = `agent:${agent.agentId}`;
  const unmet = unmetNeeds(agent, policy);
  const free = agent.capabilities.scratchFreeBytes;
  if (!agent.online) {
    found.push(
      finding({
        code: 'PLAN_AGENT_OFFLINE',
        severity: 'blocked',
        subject,
        message: `agent ${agent.agentId} of site ${agent.siteId} is offline`,
        evidence: agent.lastSeenAt === null ? 'never seen' : `last seen ${agent.lastSeenAt}`,
      }),
    );
  }
  if (unmet.length > 0) {
    found.push(
      finding({
        code: 'PLAN_AGENT_INCAPABLE',
        severity: 'blocked',
        subject,
        message: `agent ${agent.agentId} lacks ${unmet.join('; ')}`,
      }),
    );
  }
  if (free < scratchBytes) {
    found.push(
      finding({
        code: 'PLAN_SCRATCH_FULL',
        severity: 'blocked',
        subject,
        message: `overlays need ${showBytes(scratchBytes)}, agent ${agent.agentId} has ${showBytes(free)} of scratch space`,
      }),
    );
  }
  return found;
}

function missing(params: PlanParams, what: string, action: string): Finding {
  return finding({
    code: 'PLAN_AGENT_MISSING',
    severity: 'blocked',
    subject: 'agent',
    message: `no agent ${what}`,
    evidence: `agents: ${showList(params.agents.map((agent) => agent.agentId).sort())}`,
    action,
  });
}

function routeFindings(params: PlanParams, reader: AgentView | null, writer: AgentView | null): Finding[] {
  const { repositoryId } = params.restorePoint;
  const { name } = params.target;
  const found: Finding[] = [];
  if (reader === null) {
    found.push(
      missing(
        params,
        `sees repository ${repositoryId}`,
        `Install an agent on a machine that mounts repository ${repositoryId}, or attach the repository to an enrolled one.`,
      ),
    );
  }
  if (writer === null) {
    found.push(
      missing(
        params,
        `may serve target ${name}`,
        `Install an agent on a machine that reaches target ${name}, or allow the target to an enrolled one.`,
      ),
    );
  }
  if (reader !== null && writer !== null && reader.agentId !== writer.agentId) {
    found.push(
      finding({
        code: 'PLAN_ROUTE_MISSING',
        severity: 'blocked',
        subject: 'agent',
        message: `agent ${reader.agentId} reads repository ${repositoryId}, agent ${writer.agentId} reaches target ${name}, none does both`,
        action: `Attach repository ${repositoryId} to agent ${writer.agentId}, or allow target ${name} to agent ${reader.agentId}.`,
      }),
    );
  }
  return found;
}

/** Chooses the agents: one that reads the repository and reaches the target, online and able before others, then by id. */
export function placeWork(
  params: PlanParams,
  policy: RestorePolicy,
  scratchBytes: number,
): Chosen<Placement> {
  const ranked = [...params.agents].sort(compareAgents(params, policy, scratchBytes));
  const rootOf = (agent: AgentView): string | undefined =>
    agent.repositories[params.restorePoint.repositoryId];
  const readers = ranked.filter((agent) => rootOf(agent) !== undefined);
  const writers = ranked.filter((agent) => agent.targets.includes(params.target.targetId));
  const both = readers.find((agent) => writers.includes(agent));
  const reader = both ?? readers[0] ?? null;
  const writer = both ?? writers[0] ?? null;
  const involved = new Set([reader, writer].filter((agent) => agent !== null));
  return {
    value: {
      sourceAgentId: reader?.agentId ?? nothing,
      targetAgentId: writer?.agentId ?? nothing,
      rootPath: (reader === null ? undefined : rootOf(reader)) ?? nothing,
      sourceAgent: reader,
    },
    findings: [
      ...routeFindings(params, reader, writer),
      ...[...involved].flatMap((agent) => agentFindings(agent, policy, scratchBytes)),
    ],
  };
}
