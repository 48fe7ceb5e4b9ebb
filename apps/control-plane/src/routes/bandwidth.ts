import { createRoute } from '@hono/zod-openapi';
import {
  agentLimitRequestSchema,
  agentLimitSchema,
  restoreLimitRequestSchema,
  restoreLimitSchema,
} from '@ascend/protocol';
import { z } from 'zod';
import type { BandwidthDesk } from '../agents/bandwidth.ts';
import { answers, body, type Api } from '../http/api.ts';

/** What the routes for caps work with. */
export interface BandwidthDeps {
  readonly bandwidth: BandwidthDesk;
}

function told(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? 'no cap' : `${bytesPerSecond} bytes per second`;
}

function addRestoreLimit(api: Api, deps: BandwidthDeps): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/restores/{id}/bandwidth',
    tags: ['restores'],
    request: { params: z.object({ id: z.string().min(1).max(64) }), ...body(restoreLimitRequestSchema) },
    responses: answers(restoreLimitSchema, 'The cap of each disk stream, and where it is in effect already'),
  });
  api.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { bytes_per_second: rate } = c.req.valid('json');
    c.set('auditSubject', `restore ${id}: ${told(rate)}`);
    return c.json(await deps.bandwidth.limitRestore(id, rate, c.get('principal').name), 200);
  });
}

function addAgentLimit(api: Api, deps: BandwidthDeps): void {
  const route = createRoute({
    method: 'put',
    path: '/api/v1/agents/{id}/bandwidth',
    tags: ['agents'],
    request: { params: z.object({ id: z.string().min(1).max(63) }), ...body(agentLimitRequestSchema) },
    responses: answers(
      agentLimitSchema,
      'The cap of all transfers of the agent, and whether it is in effect',
    ),
  });
  api.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { bytes_per_second: rate } = c.req.valid('json');
    c.set('auditSubject', `agent ${id}: ${told(rate)}`);
    return c.json(await deps.bandwidth.limitAgent(id, rate), 200);
  });
}

/** `restores/{id}/bandwidth` and `agents/{id}/bandwidth`. */
export function addBandwidthRoutes(api: Api, deps: BandwidthDeps): void {
  addRestoreLimit(api, deps);
  addAgentLimit(api, deps);
}
