import {
  hostCapabilitiesSchema,
  toSnake,
  type Agent,
  type EnrollmentToken,
  type Repository,
  type Target,
} from '@ascend/protocol';
import type { AgentRow, MadeEnrollmentToken, RepositoryRow, TargetRow } from '@ascend/store';
import { presentAgentBandwidth } from './bandwidth.ts';
import { presentTime, presentTimeOrNull } from './time.ts';

/** `GET agents`. */
export function presentAgent(row: AgentRow, online: boolean): Agent {
  return {
    agent_id: row.agentId,
    site_id: row.siteId,
    version: row.version,
    online,
    revoked: row.revokedAt !== null,
    last_seen_at: presentTimeOrNull(row.lastSeenAt),
    capabilities: row.capabilities === null ? null : toSnake(hostCapabilitiesSchema, row.capabilities),
    repositories: { ...row.repositories },
    targets: [...row.targets],
    bandwidth: presentAgentBandwidth(row),
  };
}

/** `GET repositories`. */
export function presentRepository(row: RepositoryRow): Repository {
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    site_id: row.siteId,
    roots: row.roots.map((root) => ({ agent_id: root.agentId, root_path: root.rootPath })),
  };
}

/** `GET targets`: the names of secrets, never the secrets. */
export function presentTarget(row: TargetRow): Target {
  return {
    target_id: row.targetId,
    name: row.name,
    platform: row.platform,
    connection: { ...row.connection },
    secret_names: [...row.secretNames],
    agent_ids: [...row.agentIds],
    created_at: presentTime(row.createdAt),
  };
}

/** `POST enrollment-tokens`: the only time the token is shown. */
export function presentEnrollmentToken(made: MadeEnrollmentToken): EnrollmentToken {
  return {
    id: made.id,
    token: made.token,
    site_id: made.siteId,
    expires_at: presentTime(made.expiresAt),
  };
}
