import { createRoute } from '@hono/zod-openapi';
import { isBlocked, type AgentView } from '@ascend/domain';
import { AppError, hasCode } from '@ascend/errors';
import {
  findingSchema,
  targetCheckSchema,
  targetInventorySchema,
  targetListSchema,
  targetRequestSchema,
  targetSchema,
  targetUpdateSchema,
  toSnake,
} from '@ascend/protocol';
import type { Clock } from '@ascend/runtime';
import { getTarget, listTargets, putTarget, removeTarget, type Session, type TargetRow } from '@ascend/store';
import { z } from 'zod';
import { shortDeadlineMs, type AskAgent } from '../agents/agentAsk.ts';
import { pickAgent } from '../agents/pickAgent.ts';
import { answers, answersNothing, body, creates, type Api } from '../http/api.ts';
import type { PlanService } from '../plans/planService.ts';
import { presentTarget } from '../presenters/estate.ts';
import { platformData } from '../registry.ts';
import { findNestedSecret, splitSecrets } from '../secrets/splitSecrets.ts';
import type { TargetSecrets } from '../secrets/targetSecrets.ts';

/** What the target routes read and write. */
export interface TargetDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly secrets: TargetSecrets;
  readonly plans: Pick<PlanService, 'targetFacts'>;
  readonly ask: AskAgent;
  agents(): Promise<readonly AgentView[]>;
}

const tags = ['targets'];
const path = z.object({ id: z.string().min(1).max(63) });

function refuseNestedSecret(connection: Readonly<Record<string, unknown>>): void {
  const nested = findNestedSecret(connection);
  if (nested === null) return;
  throw new AppError({
    code: 'API_INPUT_INVALID',
    message: `read connection: ${nested} looks like a credential`,
    hint: 'Give credentials under secrets, and only their names in the connection.',
    details: { field: `connection.${nested}` },
  });
}

async function exists(db: Session, id: string): Promise<boolean> {
  try {
    await getTarget(db, id);
    return true;
  } catch (error) {
    if (hasCode(error, 'STORE_TARGET_UNKNOWN')) return false;
    throw error;
  }
}

/** The row to store: credentials apart and sealed, their names kept. */
function toRow(
  deps: TargetDeps,
  target: Pick<TargetRow, 'targetId' | 'name' | 'platform' | 'agentIds'>,
  connection: Readonly<Record<string, unknown>>,
  secrets: Readonly<Record<string, string>>,
  kept: Readonly<Record<string, string>> = {},
): Omit<TargetRow, 'createdAt'> {
  refuseNestedSecret(connection);
  const given = splitSecrets(connection, secrets);
  const split = { connection: given.connection, secrets: { ...kept, ...given.secrets } };
  return {
    ...target,
    connection: split.connection,
    sealedCredentials: deps.secrets.seal(target.targetId, split.secrets),
    secretNames: Object.keys(split.secrets).toSorted(),
  };
}

function addReads(api: Api, deps: TargetDeps): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/targets',
    tags,
    responses: answers(targetListSchema, 'All targets, without their secrets'),
  });
  api.openapi(list, async (c) => c.json({ targets: (await listTargets(deps.db)).map(presentTarget) }, 200));
  const one = createRoute({
    method: 'get',
    path: '/api/v1/targets/{id}',
    tags,
    request: { params: path },
    responses: answers(targetSchema, 'One target'),
  });
  api.openapi(one, async (c) =>
    c.json(presentTarget(await getTarget(deps.db, c.req.valid('param').id)), 200),
  );
}

function addCreate(api: Api, deps: TargetDeps): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/targets',
    tags,
    request: body(targetRequestSchema),
    responses: creates(targetSchema, 'The target is known now; nothing on it was touched'),
  });
  api.openapi(route, async (c) => {
    const request = c.req.valid('json');
    const { target_id: targetId, name, platform, agent_ids: agentIds } = request;
    platformData(platform);
    if (await exists(deps.db, targetId)) {
      throw new AppError({ code: 'API_ID_TAKEN', message: `add target ${targetId}: it exists already` });
    }
    const row = toRow(deps, { targetId, name, platform, agentIds }, request.connection, request.secrets);
    await putTarget(deps.db, row, deps.clock.now());
    return c.json(presentTarget(await getTarget(deps.db, targetId)), 201);
  });
}

function addUpdate(api: Api, deps: TargetDeps): void {
  const route = createRoute({
    method: 'put',
    path: '/api/v1/targets/{id}',
    tags,
    request: { params: path, ...body(targetUpdateSchema) },
    responses: answers(targetSchema, 'What was given is replaced; secrets that were not given stay'),
  });
  api.openapi(route, async (c) => {
    const held = await getTarget(deps.db, c.req.valid('param').id);
    const given = c.req.valid('json');
    const kept = Object.entries(deps.secrets.open(held)).map(([name, secret]) => [name, secret.reveal()]);
    const row = toRow(
      deps,
      {
        targetId: held.targetId,
        platform: held.platform,
        name: given.name ?? held.name,
        agentIds: given.agent_ids ?? held.agentIds,
      },
      given.connection ?? held.connection,
      given.secrets ?? {},
      Object.fromEntries(kept),
    );
    await putTarget(deps.db, row, deps.clock.now());
    return c.json(presentTarget(await getTarget(deps.db, held.targetId)), 200);
  });
  const remove = createRoute({
    method: 'delete',
    path: '/api/v1/targets/{id}',
    tags,
    request: { params: path },
    responses: answersNothing,
  });
  api.openapi(remove, async (c) => {
    await removeTarget(deps.db, c.req.valid('param').id);
    return c.body(null, 204);
  });
}

function addProbes(api: Api, deps: TargetDeps): void {
  const check = createRoute({
    method: 'post',
    path: '/api/v1/targets/{id}/check',
    tags,
    request: { params: path },
    responses: answers(targetCheckSchema, 'Credentials, version and permissions, tried by an agent'),
  });
  api.openapi(check, async (c) => {
    const { targetId, platform, connection } = await getTarget(deps.db, c.req.valid('param').id);
    const agent = pickAgent(await deps.agents(), { targetId });
    const request = { target: { targetId, platform, connection: { ...connection } } };
    const findings = await deps.ask(agent, 'check-target', request, shortDeadlineMs);
    const presented = findings.map((finding) => toSnake(findingSchema, finding));
    return c.json({ target_id: targetId, ok: !isBlocked(findings), findings: presented }, 200);
  });
  const inventory = createRoute({
    method: 'get',
    path: '/api/v1/targets/{id}/inventory',
    tags,
    request: { params: path },
    responses: answers(targetInventorySchema, 'Storages, networks and VMs as they are now'),
  });
  api.openapi(inventory, async (c) => {
    const target = await getTarget(deps.db, c.req.valid('param').id);
    const facts = await deps.plans.targetFacts(target, 0);
    return c.json(
      {
        target_id: target.targetId,
        api_version: facts.apiVersion,
        storages: facts.storages.map(({ name, freeBytes, totalBytes }) => ({
          name,
          free_bytes: freeBytes,
          total_bytes: totalBytes,
        })),
        networks: facts.networks.map(({ name, about }) => ({ name, about })),
        vm_names: [...facts.vmNames],
        cpu_count: facts.cpuCount,
        memory_bytes: facts.memoryBytes,
        acceleration: facts.acceleration,
        fetched_at: facts.fetchedAt,
      },
      200,
    );
  });
}

/** `targets`: platform endpoints, their check and their inventory. */
export function addTargetRoutes(api: Api, deps: TargetDeps): void {
  addReads(api, deps);
  addCreate(api, deps);
  addUpdate(api, deps);
  addProbes(api, deps);
}
