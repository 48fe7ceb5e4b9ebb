import type { AgentView } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { AgentAddress, Heartbeat } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import {
  agentView,
  getAgent,
  listAgents,
  noteAgentRoots,
  noteHeartbeat,
  type AgentRow,
  type Session,
} from '@ascend/store';

/** Who is there, as the database knows it: the same for every replica. */
export interface Presence {
  /** Takes a sign of life. @throws {AppError} API_AGENT_REVOKED, STORE_AGENT_UNKNOWN */
  note(address: AgentAddress, heartbeat: Heartbeat): Promise<AgentRow>;
  /** Agents that are not revoked. */
  views(session?: Session): Promise<readonly AgentView[]>;
  /** True for an agent that was heard lately and is not revoked. */
  isOnline(row: AgentRow): boolean;
}

/** Refuses an agent whose trust was taken away, or that speaks from another site than it was enrolled at. */
function admit(row: AgentRow, address: AgentAddress): void {
  if (row.revokedAt === null && row.siteId === address.siteId) return;
  throw new AppError({
    code: 'API_AGENT_REVOKED',
    message: `hear agent ${address.siteId}/${address.agentId}: its trust was taken away`,
    details: { agentId: address.agentId, siteId: address.siteId },
  });
}

/** Presence over the agents' rows. */
export function createPresence(deps: {
  readonly db: Session;
  readonly clock: Clock;
  readonly logger: Logger;
  /** An agent that was not heard for this long is offline. */
  readonly onlineWithinMs: number;
}): Presence {
  const view = (row: AgentRow): AgentView => agentView(row, deps.clock.now(), deps.onlineWithinMs);
  return {
    isOnline: (row) => view(row).online,
    note: async (address, heartbeat) => {
      const row = await getAgent(deps.db, address.agentId);
      admit(row, address);
      const { version, capabilities, openOps, configuredBandwidth, repositories } = heartbeat;
      await noteHeartbeat(deps.db, {
        agentId: address.agentId,
        version,
        capabilities,
        openOps,
        configuredBandwidth,
        nowMs: deps.clock.now(),
      });
      const unknown = await noteAgentRoots(deps.db, address.agentId, repositories);
      if (unknown.length > 0) {
        deps.logger.debug('agent names repositories that do not exist', {
          ...address,
          repositories: unknown,
        });
      }
      return row;
    },
    views: async (session = deps.db) => {
      const rows = await listAgents(session);
      return rows.filter((row) => row.revokedAt === null).map(view);
    },
  };
}
