import type { AgentLimit, Restore, RestoreLimit } from '@ascend/protocol';
import { formatBytes } from './format.ts';

/** A bandwidth cap: `50.0 MiB/s` or `no cap`. */
export function formatCap(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? 'no cap' : `${formatBytes(bytesPerSecond)}/s`;
}

function formatApplied(agentId: string, applied: boolean): string {
  if (applied) return `in effect on agent ${agentId}`;
  return `agent ${agentId} does not answer: in effect from its next contact`;
}

/** What became of a new cap of a restore. */
export function formatRestoreLimit(limit: RestoreLimit): string {
  const head = `restore ${limit.restore_id}: ${formatCap(limit.bytes_per_second)} for each disk`;
  return [head, ...limit.agents.map((one) => formatApplied(one.agent_id, one.applied))].join('; ');
}

/** What became of a new cap of an agent. */
export function formatAgentLimit(limit: AgentLimit): string {
  const { agent_id: agentId, bytes_per_second: rate, applied } = limit;
  return `agent ${agentId}: ${formatCap(rate)} for all its transfers together; ${formatApplied(agentId, applied)}`;
}

/** The caps that hold for a restore, in one line. */
export function formatRestoreCaps({ bandwidth }: Restore): string {
  const { bytes_per_second: rate, source, agents } = bandwidth;
  const own = `${formatCap(rate)} for each disk (${source === 'plan' ? 'as planned' : 'set by an operator'})`;
  const capped = agents.filter((agent) => agent.bytes_per_second !== null);
  const shared = capped.map(
    (agent) => `${formatCap(agent.bytes_per_second)} for agent ${agent.agent_id} together`,
  );
  return ['bandwidth: '.concat(own), ...shared].join(', ');
}
