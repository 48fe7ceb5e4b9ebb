import { issueAgentJwt, type Trust } from '@ascend/bus';
import { AppError, hasCode } from '@ascend/errors';
import type { AgentAddress, EnrolmentAnswer, EnrolmentRequest } from '@ascend/protocol';
import type { Clock } from '@ascend/runtime';
import { consumeEnrollmentToken, getAgent, putAgent, transaction, type Session } from '@ascend/store';

/** Life of an agent's credential; agents renew it long before. */
export const agentJwtTtlMs = 30 * 86_400_000;

/** What enrolment works with. */
export interface EnrolmentDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly trust: Trust;
  readonly natsUrls: readonly string[];
  ensureConsumer(address: AgentAddress): Promise<void>;
}

/** An id belongs to one site: a token of another site must not take a running agent's place. */
async function refuseOtherSite(tx: Session, agentId: string, siteId: string): Promise<void> {
  try {
    const held = await getAgent(tx, agentId);
    if (held.siteId === siteId || held.revokedAt !== null) return;
    throw new AppError({
      code: 'API_AGENT_EXISTS',
      message: `enrol agent ${agentId}: the id belongs to an agent of site ${held.siteId}`,
      details: { agentId, siteId: held.siteId },
    });
  } catch (error) {
    if (!hasCode(error, 'STORE_AGENT_UNKNOWN')) throw error;
  }
}

/**
 * Lets an agent in: uses its one-time token up, stores its public keys, signs its credential and makes its command
 * consumer. The private keys never leave the agent.
 *
 * @throws {AppError} STORE_ENROLLMENT_REFUSED, STORE_AGENT_KEY_TAKEN, API_AGENT_EXISTS
 */
export async function enrolAgent(deps: EnrolmentDeps, request: EnrolmentRequest): Promise<EnrolmentAnswer> {
  const { token, agent_id: agentId, public_key: publicKey, public_xkey: publicXkey, version } = request;
  const nowMs = deps.clock.now();
  // One transaction: an enrolment that is refused leaves the token as it was.
  const siteId = await transaction(deps.db, async (tx) => {
    const site = await consumeEnrollmentToken(tx, { token, agentId, nowMs });
    await refuseOtherSite(tx, agentId, site);
    await putAgent(tx, { agentId, siteId: site, publicKey, publicXkey, version }, nowMs);
    return site;
  });
  const address = { siteId, agentId };
  await deps.ensureConsumer(address);
  const jwt = await issueAgentJwt(deps.trust, { address, publicKey, ttlMs: agentJwtTtlMs, nowMs });
  return {
    agent_id: agentId,
    site_id: siteId,
    jwt,
    nats_urls: [...deps.natsUrls],
    control_xkey: deps.trust.controlXkey,
  };
}
