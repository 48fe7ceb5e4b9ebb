import type { AgentView } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { AgentReplies, AgentRequest, AgentVerb } from '@ascend/protocol';
import { pickAgent } from './pickAgent.ts';

/** Walking a large repository, or analysing a long chain. */
export const longDeadlineMs = 600_000;
/** Calls that a person waits for. */
export const shortDeadlineMs = 60_000;

/** Asks one agent over the request lane (D11). */
export type AskAgent = <V extends AgentVerb>(
  agent: AgentView,
  verb: V,
  request: AgentRequest<V>,
  deadlineMs: number,
) => Promise<AgentReplies[V]>;

/**
 * The agent that shall look into a repository: the wanted one, or any that is online and has it.
 *
 * @throws {AppError} PLAN_AGENT_MISSING, PLAN_AGENT_OFFLINE
 */
export function repositoryAgent(
  agents: readonly AgentView[],
  repositoryId: string,
  wanted: string | undefined,
): { readonly agent: AgentView; readonly rootPath: string } {
  const among = wanted === undefined ? agents : agents.filter((agent) => agent.agentId === wanted);
  const agent = pickAgent(among, { repositoryId });
  const rootPath = agent.repositories[repositoryId];
  if (rootPath !== undefined) return { agent, rootPath };
  throw new AppError({
    code: 'PLAN_AGENT_MISSING',
    message: `find agent for repository ${repositoryId}: agent ${agent.agentId} has no root path for it`,
  });
}
