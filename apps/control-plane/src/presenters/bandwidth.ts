import type { AgentBandwidth, RestoreBandwidth } from '@ascend/protocol';
import type { AgentBandwidthRow, RestoreRows } from '@ascend/store';

/** The cap of a whole agent that counts: an operator's, else that of its own settings. */
export function presentAgentBandwidth(
  row: Pick<AgentBandwidthRow, 'bandwidth' | 'configuredBandwidth'>,
): AgentBandwidth {
  const { bandwidth, configuredBandwidth } = row;
  if (bandwidth === null) return { bytes_per_second: configuredBandwidth, source: 'settings' };
  return { bytes_per_second: bandwidth.bytesPerSecond, source: 'operator' };
}

/** The caps that hold for a restore: an operator's for its disk streams, else the plan's, and those of its agents. */
export function presentRestoreBandwidth({ job, agents }: RestoreRows): RestoreBandwidth {
  const isOrdered = job.bandwidthRevision > 0;
  const planned = job.plan?.policy.bandwidthBytesPerSecond ?? null;
  return {
    bytes_per_second: isOrdered ? job.bandwidthBytesPerSecond : planned,
    source: isOrdered ? 'operator' : 'plan',
    agents: agents.map((agent) => ({ agent_id: agent.agentId, ...presentAgentBandwidth(agent) })),
  };
}
