import type { AgentView, HostCapabilities } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { asc, eq, sql } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { agents, repositoryRoots, sites, targetAgents } from '../schema/index.ts';
import { storedBandwidth, type StoredBandwidth } from './bandwidthCap.ts';
import { siteUnknown } from './repositories.ts';
import { runTransaction } from '../session.ts';

/** A place with agents. */
export interface SiteRow {
  readonly id: string;
  readonly name: string;
}

/** All sites by id. */
export const listSites = query('list sites', async (session): Promise<readonly SiteRow[]> =>
  session.orm.select({ id: sites.id, name: sites.name }).from(sites).orderBy(asc(sites.id)),
);

/** Makes a site or gives it another name. */
export const putSite = query('put site', async (session, site: SiteRow): Promise<void> => {
  await session.orm
    .insert(sites)
    .values(site)
    .onDuplicateKeyUpdate({ set: { name: site.name } });
});

/** An agent as it is stored; `view.capabilities` are those of its last heartbeat. */
export interface AgentRow {
  readonly agentId: string;
  readonly siteId: string;
  readonly publicKey: string;
  readonly publicXkey: string;
  readonly version: string;
  /** null before the first heartbeat. */
  readonly capabilities: HostCapabilities | null;
  /** Operations it reported as open. */
  readonly openOps: readonly string[];
  readonly enrolledAt: Date;
  readonly lastSeenAt: Date | null;
  readonly revokedAt: Date | null;
  /** Repository id → root path. */
  readonly repositories: Readonly<Record<string, string>>;
  readonly targets: readonly string[];
  /** Cap of its own settings in bytes per second; null = none. */
  readonly configuredBandwidth: number | null;
  /** Cap that an operator set, which counts instead; null = nobody did. */
  readonly bandwidth: StoredBandwidth | null;
}

async function selectAgents(session: Session, agentId?: string): Promise<readonly AgentRow[]> {
  const rows = await session.orm
    .select()
    .from(agents)
    .where(agentId === undefined ? undefined : eq(agents.id, agentId))
    .orderBy(asc(agents.id));
  const roots = Map.groupBy(
    await session.orm
      .select()
      .from(repositoryRoots)
      .where(agentId === undefined ? undefined : eq(repositoryRoots.agentId, agentId)),
    (row) => row.agentId,
  );
  const served = Map.groupBy(
    await session.orm
      .select()
      .from(targetAgents)
      .where(agentId === undefined ? undefined : eq(targetAgents.agentId, agentId))
      .orderBy(asc(targetAgents.targetId)),
    (row) => row.agentId,
  );
  return rows.map((row) => ({
    agentId: row.id,
    siteId: row.siteId,
    publicKey: row.publicKey,
    publicXkey: row.publicXkey,
    version: row.version,
    capabilities: row.capabilities,
    openOps: row.openOps ?? [],
    enrolledAt: row.enrolledAt,
    lastSeenAt: row.lastSeenAt,
    revokedAt: row.revokedAt,
    repositories: Object.fromEntries(
      (roots.get(row.id) ?? []).map((root) => [root.repositoryId, root.rootPath]),
    ),
    targets: (served.get(row.id) ?? []).map((one) => one.targetId),
    configuredBandwidth: row.configuredBandwidth,
    bandwidth: storedBandwidth(row),
  }));
}

/** All agents by id, revoked ones too. */
export const listAgents = query('list agents', async (session) => selectAgents(session));

/**
 * One agent.
 *
 * @throws {AppError} STORE_AGENT_UNKNOWN
 */
export const getAgent = query('get agent', async (session, agentId: string): Promise<AgentRow> => {
  const [row] = await selectAgents(session, agentId);
  if (row === undefined) throw agentUnknown(agentId, 'get agent');
  return row;
});

/** The error for an agent that never enrolled. */
export function agentUnknown(agentId: string, operation: string): AppError {
  return new AppError({
    code: 'STORE_AGENT_UNKNOWN',
    message: `${operation}: no agent ${JSON.stringify(agentId)}`,
    details: { agentId },
  });
}

/** Nothing is known before the first heartbeat, so nothing is promised. */
const noCapabilities: HostCapabilities = {
  qemuVersion: null,
  qemuImgVersion: null,
  storageDaemonFuse: false,
  nbdKernel: false,
  kvmWorks: false,
  libguestfsVersion: null,
  fuse2fs: false,
  bubblewrap: false,
  runsAsRoot: false,
  cpuCount: 0,
  memoryBytes: 0,
  scratchFreeBytes: 0,
};

/** An agent as planner and API see it: online when it was heard within `onlineWithinMs` and is not revoked. Pure. */
export function agentView(row: AgentRow, nowMs: number, onlineWithinMs: number): AgentView {
  const seenMs = row.lastSeenAt?.getTime();
  return {
    agentId: row.agentId,
    siteId: row.siteId,
    version: row.version,
    online: row.revokedAt === null && seenMs !== undefined && nowMs - seenMs <= onlineWithinMs,
    lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
    capabilities: row.capabilities ?? noCapabilities,
    repositories: row.repositories,
    targets: row.targets,
  };
}

/** What an agent shows of itself when it enrols: public keys only. */
export interface NewAgent {
  readonly agentId: string;
  readonly siteId: string;
  readonly publicKey: string;
  readonly publicXkey: string;
  readonly version: string;
}

/**
 * Stores an agent that has enrolled. An agent that enrols again under its id gets its new keys in; a revoked one is
 * welcome again, for somebody gave it a new token.
 *
 * @throws {AppError} STORE_SITE_UNKNOWN; STORE_AGENT_KEY_TAKEN - another agent has this key
 */
export const putAgent = query('put agent', async (session, agent: NewAgent, nowMs: number): Promise<void> =>
  runTransaction(session, async (tx) => {
    const { agentId, ...values } = agent;
    const [holder] = await tx.orm
      .select({ id: agents.id })
      .from(agents)
      .where(eq(agents.publicKey, agent.publicKey));
    if (holder !== undefined && holder.id !== agentId) {
      throw new AppError({
        code: 'STORE_AGENT_KEY_TAKEN',
        message: `put agent ${agentId}: its key belongs to agent ${holder.id}`,
        details: { agentId, holder: holder.id },
      });
    }
    const enrolledAt = new Date(nowMs);
    try {
      await tx.orm
        .insert(agents)
        .values({ id: agentId, ...values, enrolledAt })
        .onDuplicateKeyUpdate({ set: { ...values, enrolledAt, revokedAt: null } });
    } catch (error) {
      throw isServerError(error, 'parentMissing') ? siteUnknown(agent.siteId, 'put agent') : error;
    }
  }),
);

/**
 * Takes a heartbeat. Late ones (older than what is stored) change nothing.
 *
 * @throws {AppError} STORE_AGENT_UNKNOWN
 */
export const noteHeartbeat = query(
  'note heartbeat',
  async (
    session,
    params: {
      readonly agentId: string;
      readonly version: string;
      readonly capabilities: HostCapabilities;
      readonly openOps: readonly string[];
      /** Bytes per second, null = no cap; undefined leaves what is stored. */
      readonly configuredBandwidth?: number | null | undefined;
      /** When it was received here. */
      readonly nowMs: number;
    },
  ): Promise<void> => {
    const { agentId, version, capabilities, openOps, configuredBandwidth, nowMs } = params;
    const seen = new Date(nowMs);
    const [result] = await session.orm
      .update(agents)
      .set({
        version,
        capabilities,
        openOps,
        configuredBandwidth,
        lastSeenAt: sql`GREATEST(COALESCE(${agents.lastSeenAt}, ${seen}), ${seen})`,
      })
      .where(eq(agents.id, agentId));
    if (result.affectedRows === 0) throw agentUnknown(agentId, 'note heartbeat');
  },
);

/**
 * Takes an agent's trust away. Idempotent.
 *
 * @throws {AppError} STORE_AGENT_UNKNOWN
 */
export const revokeAgent = query(
  'revoke agent',
  async (session, agentId: string, nowMs: number): Promise<void> => {
    const revokedAt = sql`COALESCE(${agents.revokedAt}, ${new Date(nowMs)})`;
    const [result] = await session.orm.update(agents).set({ revokedAt }).where(eq(agents.id, agentId));
    if (result.affectedRows === 0) throw agentUnknown(agentId, 'revoke agent');
  },
);
