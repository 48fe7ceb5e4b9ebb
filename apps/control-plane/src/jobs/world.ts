import type { RestoreJob } from '@ascend/domain';
import { hasCode } from '@ascend/errors';
import { getTarget, type Session } from '@ascend/store';
import type { Presence } from '../agents/presence.ts';
import type { World } from './jobDesk.ts';
import type { CommandTarget } from './toChange.ts';

async function readTarget(tx: Session, targetId: string): Promise<CommandTarget | null> {
  try {
    const { platform, connection } = await getTarget(tx, targetId);
    return { targetId, platform, connection };
  } catch (error) {
    // Without its target a job waits: nothing may be dispatched, and nothing is decided about what exists.
    if (hasCode(error, 'STORE_TARGET_UNKNOWN')) return null;
    throw error;
  }
}

/** Reads what a decision about a job needs: its target and who is online. */
export function createWorldReader(presence: Presence): (tx: Session, job: RestoreJob) => Promise<World> {
  return async (tx, job) => {
    const target = await readTarget(tx, job.plan.target.targetId);
    const agents = new Map((await presence.views(tx)).map((agent) => [agent.agentId, agent]));
    return {
      target,
      addressOf: (agentId) => {
        const agent = agents.get(agentId);
        return agent === undefined ? null : { siteId: agent.siteId, agentId };
      },
      isOnline: (agentId) => agents.get(agentId)?.online === true,
    };
  };
}
