import { createRoute } from '@hono/zod-openapi';
import type { RestorePlan, StepProgress } from '@ascend/domain';
import type { OperatorEvent } from '@ascend/engine';
import {
  apiPlanSchema,
  cancelRequestSchema,
  fromSnake,
  partialPolicySchema,
  planRequestSchema,
  planSchema,
  restoreListQuerySchema,
  restoreListSchema,
  restoreRequestSchema,
  restoreSchema,
  retryRequestSchema,
  toSnake,
} from '@ascend/protocol';
import { listJobs, readRestore, type Session } from '@ascend/store';
import { z } from 'zod';
import { answers, body, creates, type Api } from '../http/api.ts';
import type { JobDesk } from '../jobs/jobDesk.ts';
import type { PlanService } from '../plans/planService.ts';
import { acceptPlan, requestOf, type GivenPlan } from '../plans/startRestore.ts';
import { presentRestore, presentRestoreSummary } from '../presenters/restores.ts';

/** What the restore routes read and write. */
export interface RestoreDeps {
  readonly db: Session;
  readonly plans: PlanService;
  readonly desk: JobDesk;
  /** Newest counters of a job by step key. */
  progressOf(jobId: string): ReadonlyMap<string, StepProgress>;
  /** @throws {AppError} when there is none of this id */
  storedPlan(planId: string): Promise<RestorePlan>;
  storePlan(plan: RestorePlan, createdBy: string): Promise<void>;
}

const tags = ['restores'];
const path = z.object({ id: z.string().min(1).max(64) });

async function answerRestore(deps: RestoreDeps, jobId: string) {
  return presentRestore(await readRestore(deps.db, jobId), deps.progressOf(jobId));
}

function addPlan(api: Api, deps: RestoreDeps): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/restores/plan',
    tags,
    request: body(planRequestSchema),
    responses: answers(apiPlanSchema, 'What would happen; obstacles are findings in it'),
  });
  api.openapi(route, async (c) => {
    const request = c.req.valid('json');
    const plan = await deps.plans.plan({
      backupId: request.backup_id,
      targetId: request.target_id,
      policy: readPolicy(request.policy),
    });
    await deps.storePlan(plan, c.get('principal').name);
    c.set('auditSubject', `plan ${plan.planId}`);
    return c.json(toSnake(planSchema, plan), 200);
  });
}

function readPolicy(policy: unknown): Partial<RestorePlan['policy']> {
  const read = fromSnake(partialPolicySchema, policy);
  // JSON has no undefined: what is not given is not there.
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined));
}

async function givenPlan(
  deps: RestoreDeps,
  request: z.infer<typeof restoreRequestSchema>,
): Promise<GivenPlan> {
  return 'plan_id' in request ? deps.storedPlan(request.plan_id) : fromSnake(planSchema, request.plan);
}

function addStart(api: Api, deps: RestoreDeps): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/restores',
    tags,
    request: body(restoreRequestSchema),
    responses: creates(restoreSchema, 'The restore has started'),
  });
  api.openapi(route, async (c) => {
    const given = await givenPlan(deps, c.req.valid('json'));
    const plan = acceptPlan(given, await deps.plans.plan(requestOf(given)));
    const jobId = await deps.desk.start(plan, c.get('principal').name);
    c.set('auditSubject', `restore ${jobId} of ${plan.backupId} to ${plan.target.targetId}`);
    return c.json(await answerRestore(deps, jobId), 201);
  });
}

function addReads(api: Api, deps: RestoreDeps): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/restores',
    tags,
    request: { query: restoreListQuerySchema },
    responses: answers(restoreListSchema, 'Restores, newest first'),
  });
  api.openapi(list, async (c) => {
    const { status, backup_id: backupId, limit } = c.req.valid('query');
    const rows = await listJobs(deps.db, {
      ...(status === undefined ? {} : { status }),
      ...(backupId === undefined ? {} : { backupId }),
      ...(limit === undefined ? {} : { limit }),
    });
    return c.json({ restores: rows.map(presentRestoreSummary) }, 200);
  });
  const one = createRoute({
    method: 'get',
    path: '/api/v1/restores/{id}',
    tags,
    request: { params: path },
    responses: answers(restoreSchema, 'One restore with its steps'),
  });
  api.openapi(one, async (c) => c.json(await answerRestore(deps, c.req.valid('param').id), 200));
}

function addOrder(
  api: Api,
  deps: RestoreDeps,
  verb: string,
  about: string,
  schema: z.ZodType,
  orderOf: (body: unknown) => OperatorEvent,
): void {
  const route = createRoute({
    method: 'post',
    path: `/api/v1/restores/{id}/${verb}`,
    tags,
    request: { params: path, body: { required: false, content: { 'application/json': { schema } } } },
    responses: answers(restoreSchema, about),
  });
  api.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const given: unknown = c.req.valid('json');
    await deps.desk.order(id, orderOf(given), c.get('principal').name);
    c.set('auditSubject', `restore ${id}`);
    return c.json(await answerRestore(deps, id), 200);
  });
}

const noBody = z.strictObject({});

function addOrders(api: Api, deps: RestoreDeps): void {
  addOrder(api, deps, 'retry', 'Goes on at the failed step', retryRequestSchema, (given) => ({
    type: 'retry',
    redo: retryRequestSchema.parse(given).redo,
  }));
  addOrder(api, deps, 'cancel', 'Stops; what was created stays', cancelRequestSchema, (given) => ({
    type: 'cancel',
    rollback: cancelRequestSchema.parse(given).rollback,
  }));
  addOrder(api, deps, 'rollback', 'Removes what was created', noBody, () => ({ type: 'rollback' }));
  addOrder(api, deps, 'pause', 'Starts no new step', noBody, () => ({ type: 'pause' }));
  addOrder(api, deps, 'resume', 'Goes on after pause', noBody, () => ({ type: 'resume' }));
}

/** `restores`, `restores/plan`, `restores/{id}` and the orders an operator may give. */
export function addRestoreRoutes(api: Api, deps: RestoreDeps): void {
  addPlan(api, deps);
  addStart(api, deps);
  addReads(api, deps);
  addOrders(api, deps);
}
