import type { AgentView } from '@ascend/domain';
import { AppError } from '@ascend/errors';

/** What the agent must reach. */
export type Reach = { readonly repositoryId: string } | { readonly targetId: string };

function reaches(agent: AgentView, reach: Reach): boolean {
  return 'repositoryId' in reach
    ? agent.repositories[reach.repositoryId] !== undefined
    : agent.targets.includes(reach.targetId);
}

function nameOf(reach: Reach): string {
  return 'repositoryId' in reach ? `repository ${reach.repositoryId}` : `target ${reach.targetId}`;
}

/**
 * An online agent that reaches the repository or target; `preferred` when it is one of them.
 *
 * @throws {AppError} PLAN_AGENT_MISSING - no agent reaches it
 * @throws {AppError} PLAN_AGENT_OFFLINE - those that do are out of contact
 */
export function pickAgent(agents: readonly AgentView[], reach: Reach, preferred?: string): AgentView {
  const able = agents.filter((agent) => reaches(agent, reach));
  if (able.length === 0) {
    throw new AppError({
      code: 'PLAN_AGENT_MISSING',
      message: `find agent for ${nameOf(reach)}: none of ${agents.length} agents has it`,
      details: { ...reach, agents: agents.map((agent) => agent.agentId) },
    });
  }
  const online = able.filter((agent) => agent.online);
  const chosen = online.find((agent) => agent.agentId === preferred) ?? online[0];
  if (chosen === undefined) {
    throw new AppError({
      code: 'PLAN_AGENT_OFFLINE',
      message: `find agent for ${nameOf(reach)}: all ${able.length} that have it are offline`,
      details: {
        ...reach,
        offline: able.map((agent) => `${agent.agentId} (last seen ${agent.lastSeenAt ?? 'never'})`),
      },
    });
  }
  return chosen;
}
