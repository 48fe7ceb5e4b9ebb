import { AppError, toAppError } from '@ascend/errors';
import type { AgentAddress, AgentLimit, BandwidthCap, RestoreLimit } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import {
  getAgent,
  readTransferAgents,
  setAgentBandwidth,
  setJobBandwidth,
  type Session,
} from '@ascend/store';

// An agent that does not answer within this learns of the cap at its next hello, a few seconds later.
const answerWithinMs = 2_000;

/** What changing caps works with. */
export interface BandwidthDeskDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells an agent; `jobId` null = the cap of the whole agent. Rejects when it does not answer. */
  limit(address: AgentAddress, jobId: string | null, cap: BandwidthCap, deadlineMs: number): Promise<unknown>;
}

/** Changes bandwidth caps while transfers run. What is stored counts: an agent that is away hears it at its next hello. */
export interface BandwidthDesk {
  /** Caps each disk stream of a restore. @throws {AppError} STORE_JOB_UNKNOWN, STORE_JOB_FOREIGN, RESTORE_TRANSITION_ILLEGAL */
  limitRestore(jobId: string, bytesPerSecond: number | null, by: string): Promise<RestoreLimit>;
  /** Caps all transfers of an agent together. @throws {AppError} STORE_AGENT_UNKNOWN, API_AGENT_REVOKED */
  limitAgent(agentId: string, bytesPerSecond: number | null): Promise<AgentLimit>;
}

async function tell(
  deps: BandwidthDeskDeps,
  address: AgentAddress,
  jobId: string | null,
  cap: BandwidthCap,
): Promise<boolean> {
  try {
    await deps.limit(address, jobId, cap, answerWithinMs);
    return true;
  } catch (error) {
    const { code, message } = toAppError(error, `limit agent ${address.agentId}`);
    deps.logger.info('agent hears of its cap at its next hello', {
      ...address,
      jobId,
      code,
      reason: message,
    });
    return false;
  }
}

/** Changes caps over the rows of jobs and agents; no transaction is open while an agent is asked. */
export function createBandwidthDesk(deps: BandwidthDeskDeps): BandwidthDesk {
  const { db, clock } = deps;
  return {
    limitRestore: async (jobId, bytesPerSecond, by) => {
      const nowMs = clock.now();
      const cap = await setJobBandwidth(db, { jobId, bytesPerSecond, by, nowMs });
      const agents = (await readTransferAgents(db, jobId)).map(async ({ siteId, agentId }) => ({
        agent_id: agentId,
        applied: await tell(deps, { siteId, agentId }, jobId, cap),
      }));
      return { restore_id: jobId, bytes_per_second: bytesPerSecond, agents: await Promise.all(agents) };
    },
    limitAgent: async (agentId, bytesPerSecond) => {
      const { siteId, revokedAt } = await getAgent(db, agentId);
      if (revokedAt !== null) {
        throw new AppError({
          code: 'API_AGENT_REVOKED',
          message: `limit agent ${agentId}: its trust was taken away`,
          details: { agentId },
        });
      }
      const cap = await setAgentBandwidth(db, { agentId, bytesPerSecond, nowMs: clock.now() });
      const applied = await tell(deps, { siteId, agentId }, null, cap);
      return { agent_id: agentId, bytes_per_second: bytesPerSecond, applied };
    },
  };
}
