import { issueAgentJwt, sealTo, type AskHandlers, type Trust } from '@ascend/bus';
import { AppError, hasCode } from '@ascend/errors';
import type { AgentAddress } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import { findAttempts, getAgent, getTarget, listJobBandwidth, loadJob, type Session } from '@ascend/store';
import type { RestoreJob } from '@ascend/domain';
import type { TargetSecrets } from '../secrets/targetSecrets.ts';
import { agentJwtTtlMs } from './enrolment.ts';
import type { Presence } from './presence.ts';
import { verdictOf, type Verdict } from './verdicts.ts';

/** What is needed to answer agents. */
export interface AskDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly trust: Trust;
  readonly presence: Presence;
  readonly secrets: TargetSecrets;
  /** Makes the agent's command consumer; idempotent. */
  ensureConsumer(address: AgentAddress): Promise<void>;
}

async function jobsOf(deps: AskDeps, opIds: readonly string[]): Promise<ReadonlyMap<string, RestoreJob>> {
  const attempts = await findAttempts(deps.db, opIds);
  const jobs = new Map<string, RestoreJob>();
  for (const jobId of new Set(attempts.map((attempt) => attempt.restoreJobId))) {
    try {
      jobs.set(jobId, (await loadJob(deps.db, jobId)).job);
    } catch (error) {
      // Deleted between the two reads: its operations are nobody's.
      if (!hasCode(error, 'STORE_JOB_UNKNOWN')) throw error;
    }
  }
  return new Map(
    attempts.flatMap((attempt) => {
      const job = jobs.get(attempt.restoreJobId);
      return job === undefined ? [] : [[attempt.opId, job] as const];
    }),
  );
}

async function verdicts(
  deps: AskDeps,
  address: AgentAddress,
  openOps: readonly string[],
): Promise<Record<string, Verdict>> {
  const jobs = await jobsOf(deps, openOps);
  const answer: Record<string, Verdict> = {};
  for (const opId of openOps) {
    const job = jobs.get(opId) ?? null;
    answer[opId] = verdictOf(job, opId);
    if (job === null) deps.logger.warn('agent has an operation nobody knows', { ...address, opId });
  }
  return answer;
}

async function sealedSecret(
  deps: AskDeps,
  address: AgentAddress,
  request: { readonly targetId: string; readonly name: string },
): Promise<string> {
  const [agent, target] = await Promise.all([
    getAgent(deps.db, address.agentId),
    getTarget(deps.db, request.targetId),
  ]);
  const details = { agentId: address.agentId, targetId: request.targetId, name: request.name };
  if (agent.revokedAt !== null || !target.agentIds.includes(address.agentId)) {
    const message = `give secret of ${request.targetId}: agent ${address.agentId} does not serve it`;
    throw new AppError({ code: 'API_SECRET_REFUSED', message, details });
  }
  const secret = deps.secrets.open(target)[request.name];
  if (secret === undefined) {
    const message = `give secret of ${request.targetId}: it has none named ${request.name}`;
    throw new AppError({ code: 'API_SECRET_REFUSED', message, details });
  }
  return sealTo({
    senderSeed: deps.trust.controlXkeySeed,
    recipient: agent.publicXkey,
    plain: Buffer.from(secret.reveal()),
  });
}

/** An agent says hello every few seconds; its consumer needs to be looked after much less often. */
const consumerCheckMs = 60_000;

/** Makes an agent's consumer at its first hello and now and then later, should someone have removed it. */
function createConsumerKeeper(deps: AskDeps): (address: AgentAddress) => Promise<void> {
  const checkedAtMs = new Map<string, number>();
  return async (address) => {
    const key = `${address.siteId}.${address.agentId}`;
    const nowMs = deps.clock.now();
    if (nowMs - (checkedAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < consumerCheckMs) return;
    await deps.ensureConsumer(address);
    checkedAtMs.set(key, nowMs);
  };
}

/** Answers to what agents ask: what to do with open operations, secrets of their targets, a new credential. */
export function createAskHandlers(deps: AskDeps): AskHandlers {
  const keepConsumer = createConsumerKeeper(deps);
  return {
    hello: async (address, { heartbeat, openOps }) => {
      await deps.presence.note(address, { ...heartbeat, openOps });
      await keepConsumer(address);
      const { repositories, bandwidth } = await getAgent(deps.db, address.agentId);
      return {
        ops: await verdicts(deps, address, openOps),
        repositories,
        bandwidth: { agent: bandwidth, jobs: await listJobBandwidth(deps.db, address.agentId) },
      };
    },
    secret: async (address, request) => ({ sealed: await sealedSecret(deps, address, request) }),
    renew: async (address) => {
      const agent = await getAgent(deps.db, address.agentId);
      if (agent.revokedAt !== null || agent.siteId !== address.siteId) {
        throw new AppError({
          code: 'API_AGENT_REVOKED',
          message: `renew credential of ${address.agentId}: its trust was taken away`,
        });
      }
      const jwt = await issueAgentJwt(deps.trust, {
        address,
        publicKey: agent.publicKey,
        ttlMs: agentJwtTtlMs,
        nowMs: deps.clock.now(),
      });
      return { jwt };
    },
  };
}
