import { createRoute } from '@hono/zod-openapi';
import { AppError } from '@ascend/errors';
import {
  agentListSchema,
  enrollmentTokenRequestSchema,
  enrollmentTokenSchema,
  enrolmentAnswerSchema,
  enrolmentRequestSchema,
  siteListSchema,
  siteRequestSchema,
  siteSchema,
  type AgentAddress,
  type EnrolmentAnswer,
  type EnrolmentRequest,
  type Site,
} from '@ascend/protocol';
import type { Clock } from '@ascend/runtime';
import {
  createEnrollmentToken,
  getAgent,
  listAgents,
  listSites,
  putSite,
  revokeAgent,
  type AgentRow,
  type Session,
  type SiteRow,
} from '@ascend/store';
import { z } from 'zod';
import { answers, answersNothing, body, creates, type Api } from '../http/api.ts';
import { presentAgent, presentEnrollmentToken } from '../presenters/estate.ts';

/** What the routes for sites and agents read and write. */
export interface AgentDeps {
  readonly db: Session;
  readonly clock: Clock;
  isOnline(agent: AgentRow): boolean;
  enrol(request: EnrolmentRequest): Promise<EnrolmentAnswer>;
  /** Takes an agent's consumer and credential away; its row says revoked already. */
  dismiss(address: AgentAddress, publicKey: string): Promise<void>;
}

const path = z.object({ id: z.string().min(1).max(63) });

function presentSite(site: SiteRow): Site {
  return { site_id: site.id, name: site.name };
}

function addSites(api: Api, deps: AgentDeps): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/sites',
    tags: ['sites'],
    responses: answers(siteListSchema, 'All sites'),
  });
  api.openapi(list, async (c) => c.json({ sites: (await listSites(deps.db)).map(presentSite) }, 200));
  const create = createRoute({
    method: 'post',
    path: '/api/v1/sites',
    tags: ['sites'],
    request: body(siteRequestSchema),
    responses: creates(siteSchema, 'The site is known now'),
  });
  api.openapi(create, async (c) => {
    const { site_id: id, name } = c.req.valid('json');
    if ((await listSites(deps.db)).some((site) => site.id === id)) {
      throw new AppError({ code: 'API_ID_TAKEN', message: `add site ${id}: it exists already` });
    }
    await putSite(deps.db, { id, name });
    return c.json({ site_id: id, name }, 201);
  });
}

function addTokens(api: Api, deps: AgentDeps): void {
  const create = createRoute({
    method: 'post',
    path: '/api/v1/enrollment-tokens',
    tags: ['agents'],
    request: body(enrollmentTokenRequestSchema),
    responses: creates(enrollmentTokenSchema, 'A one-time token; it is shown only now'),
  });
  api.openapi(create, async (c) => {
    const { site_id: siteId, ttl_seconds: ttlSeconds } = c.req.valid('json');
    const made = await createEnrollmentToken(deps.db, {
      siteId,
      createdBy: c.get('principal').name,
      ttlMs: ttlSeconds * 1000,
      nowMs: deps.clock.now(),
    });
    c.set('auditSubject', `enrollment token ${made.id} for site ${siteId}`);
    return c.json(presentEnrollmentToken(made), 201);
  });
}

function addAgents(api: Api, deps: AgentDeps): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/agents',
    tags: ['agents'],
    responses: answers(agentListSchema, 'All agents, revoked ones too'),
  });
  api.openapi(list, async (c) => {
    const agents = (await listAgents(deps.db)).map((row) => presentAgent(row, deps.isOnline(row)));
    return c.json({ agents }, 200);
  });
  const enrol = createRoute({
    method: 'post',
    path: '/api/v1/agents/enrol',
    tags: ['agents'],
    request: body(enrolmentRequestSchema),
    responses: answers(enrolmentAnswerSchema, 'The agent is let in; its token is used up'),
  });
  api.openapi(enrol, async (c) => {
    const request = c.req.valid('json');
    c.set('auditSubject', `agent ${request.agent_id}`);
    return c.json(await deps.enrol(request), 200);
  });
  const revoke = createRoute({
    method: 'delete',
    path: '/api/v1/agents/{id}',
    tags: ['agents'],
    request: { params: path },
    responses: answersNothing,
  });
  api.openapi(revoke, async (c) => {
    const { id: agentId } = c.req.valid('param');
    const agent = await getAgent(deps.db, agentId);
    await revokeAgent(deps.db, agentId, deps.clock.now());
    await deps.dismiss({ siteId: agent.siteId, agentId }, agent.publicKey);
    return c.body(null, 204);
  });
}

/** `sites`, `enrollment-tokens`, `agents`. */
export function addAgentRoutes(api: Api, deps: AgentDeps): void {
  addSites(api, deps);
  addTokens(api, deps);
  addAgents(api, deps);
}
