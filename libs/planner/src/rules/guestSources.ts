import type { AgentView, GuestSourceFacts } from '@ascend/domain';

/** What the agent that prepares the guest has for it; without an agent, or one that does not tell: nothing. */
export interface AgentSources extends GuestSourceFacts {
  /** For messages. */
  readonly agentId: string;
}

/** The sources of an agent; null = none can be named. */
export function sourcesOf(agent: AgentView | null): AgentSources {
  const { windowsDrivers = null, agentPackages = null } = agent?.capabilities.guestSources ?? {};
  return { agentId: agent?.agentId ?? '-', windowsDrivers, agentPackages };
}
