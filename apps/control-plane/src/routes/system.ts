import { createRoute } from '@hono/zod-openapi';
import { healthSchema, readinessSchema, type Readiness } from '@ascend/protocol';
import { z } from 'zod';
import { answers, type Api } from '../http/api.ts';
import type { Metrics } from '../metrics.ts';

/** One thing the control plane cannot work without. */
interface ReadyCheck {
  readonly name: string;
  /** Rejects, or answers text, when it is not there; null when it is. */
  probe(): Promise<string | null>;
}

/** What the system routes show. */
export interface SystemDeps {
  readonly metrics: Metrics;
  readonly checks: readonly ReadyCheck[];
}

const tags = ['system'];
const probeTimeoutMs = 3_000;

async function runCheck(check: ReadyCheck): Promise<Readiness['checks'][number]> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`no answer within ${probeTimeoutMs} ms`), probeTimeoutMs);
  try {
    const problem = await Promise.race([check.probe(), late.promise]);
    return { name: check.name, ok: problem === null, detail: problem ?? 'ok' };
  } catch (error) {
    return { name: check.name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** `health`, `ready`, `metrics`, `openapi.json`. */
export function addSystemRoutes(api: Api, deps: SystemDeps): void {
  const health = createRoute({
    method: 'get',
    path: '/api/v1/health',
    tags,
    responses: answers(healthSchema, 'The process lives'),
  });
  api.openapi(health, (c) => c.json({ status: 'ok' as const }, 200));
  const ready = createRoute({
    method: 'get',
    path: '/api/v1/ready',
    tags,
    responses: {
      200: {
        description: 'Everything it needs is there',
        content: { 'application/json': { schema: readinessSchema } },
      },
      503: {
        description: 'Something it needs is missing',
        content: { 'application/json': { schema: readinessSchema } },
      },
    },
  });
  api.openapi(ready, async (c) => {
    const checks = await Promise.all(deps.checks.map(runCheck));
    const isReady = checks.every((check) => check.ok);
    return c.json({ ready: isReady, checks }, isReady ? 200 : 503);
  });
  const metrics = createRoute({
    method: 'get',
    path: '/api/v1/metrics',
    tags,
    responses: {
      200: { description: 'Prometheus text', content: { 'text/plain': { schema: z.string() } } },
    },
  });
  api.openapi(metrics, async (c) => c.text(await deps.metrics.render(), 200));
  api.doc31('/api/v1/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Ascend',
      version: '1',
      description: 'Any VM backup, running on any platform, proven to boot.',
    },
    security: [{ bearer: [] }],
  });
  api.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
}
