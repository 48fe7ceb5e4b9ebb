import { and, asc, eq, inArray, isNotNull } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { agents, restoreSteps } from '../schema/index.ts';
import { storedBandwidth, type StoredBandwidth } from './bandwidthCap.ts';

async function transferAgents(session: Session, jobId: string): Promise<readonly string[]> {
  const rows = await session.orm
    .selectDistinct({ agentId: restoreSteps.agentId })
    .from(restoreSteps)
    .where(
      and(
        eq(restoreSteps.restoreJobId, jobId),
        eq(restoreSteps.kind, 'transfer-disk'),
        isNotNull(restoreSteps.agentId),
      ),
    )
    .orderBy(asc(restoreSteps.agentId));
  return rows.flatMap(({ agentId }) => (agentId === null ? [] : [agentId]));
}

/** The caps of an agent: of its own settings, and the one that an operator set, which counts instead. */
export interface AgentBandwidthRow {
  readonly agentId: string;
  readonly siteId: string;
  /** Bytes per second; null = none. */
  readonly configuredBandwidth: number | null;
  /** null = nobody set one. */
  readonly bandwidth: StoredBandwidth | null;
}

/** The caps of the agents that move a restore's disks, by agent id. */
export const readTransferAgents = query(
  'read bandwidth of agents',
  async (session, jobId: string): Promise<readonly AgentBandwidthRow[]> => {
    const ids = await transferAgents(session, jobId);
    if (ids.length === 0) return [];
    const rows = await session.orm
      .select()
      .from(agents)
      .where(inArray(agents.id, [...ids]))
      .orderBy(asc(agents.id));
    return rows.map((row) => ({
      agentId: row.id,
      siteId: row.siteId,
      configuredBandwidth: row.configuredBandwidth,
      bandwidth: storedBandwidth(row),
    }));
  },
);
