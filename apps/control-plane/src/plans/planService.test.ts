import type { AgentView, TargetFacts } from '@ascend/domain';
import { hasCode } from '@ascend/errors';
import type { PlanParams } from '@ascend/planner';
import { expect, test } from 'vitest';
import {
  platformData,
  pointFacts,
  restorePlan,
  restorePoint,
  targetFacts,
  vmSpec,
} from '../testing/plans.ts';
import { agentView } from '../testing/views.ts';
import { createPlanService, type PlanDeps } from './planService.ts';

const nowMs = Date.parse('2026-11-21T06:05:00.000Z');
const able = agentView({ agentId: 'agent-1', repositories: { 'repo-1': '/repo' }, targets: ['target-1'] });
const target = {
  targetId: 'target-1',
  name: 'Local',
  platform: 'kvm',
  connection: { state_dir: '/vms' },
} as const;
const request = { backupId: 'backup-1', targetId: 'target-1', policy: {} };

function setUp(part: {
  readonly target?: TargetFacts | null;
  readonly agents?: readonly AgentView[];
  readonly touched?: boolean;
}) {
  const asked: { agent: string; verb: string; body: unknown }[] = [];
  const written: string[] = [];
  const planned: PlanParams[] = [];
  const deps: PlanDeps = {
    clock: { now: () => nowMs, sleep: async () => undefined },
    newPlanId: () => 'plan-9',
    restorePoint: async () => restorePoint,
    vmSpec: async () => vmSpec,
    target: async () => target,
    agents: async () => part.agents ?? [able],
    platformData: () => platformData,
    pointFacts: async (point, excludeDisks) => {
      written.push(`point ${point.backupId} without ${excludeDisks.join(',')}`);
      return pointFacts();
    },
    targetFacts: {
      read: async () => part.target ?? null,
      write: async (facts) => {
        written.push(`target ${facts.targetId}`);
      },
    },
    ask: async (agent, verb, body) => {
      asked.push({ agent: agent.agentId, verb, body });
      const replies = {
        analyze: pointFacts({ analyzedAt: new Date(nowMs).toISOString() }),
        inventory: targetFacts({ fetchedAt: new Date(nowMs).toISOString() }),
        'check-target': [],
        scan: { contexts: [], skipped: [] },
        'probe-images': [],
        limit: null,
      };
      return replies[verb];
    },
    use: {
      reservations: async () => [{ jobId: 'job-9', storage: 'default', bytes: 7 }],
      isTouchedSince: async () => part.touched ?? false,
    },
    planRestore: (inputs) => {
      planned.push(inputs);
      return restorePlan({ planId: inputs.planId });
    },
  };
  return { service: createPlanService(deps), asked, written, planned };
}

test('a plan is made from what restore point, specification, target and agents say now', async () => {
  const run = setUp({});
  expect((await run.service.plan({ ...request, policy: { excludeDisks: [1] } })).planId).toBe('plan-9');
  expect(run.asked).toEqual([
    {
      agent: 'agent-1',
      verb: 'inventory',
      body: { target: { targetId: 'target-1', platform: 'kvm', connection: { state_dir: '/vms' } } },
    },
  ]);
  expect(run.written).toEqual(['point backup-1 without 1', 'target target-1']);
  expect(run.planned[0]).toMatchObject({ now: '2026-11-21T06:05:00.000Z', vmSpec, restorePoint });
});

test('target facts of the last minute are used as they are, older ones are fetched again', async () => {
  const fresh = setUp({ target: targetFacts({ fetchedAt: '2026-11-21T06:04:10.000Z' }), agents: [] });
  await fresh.service.plan(request);
  expect(fresh.asked).toEqual([]);
  const old = setUp({ target: targetFacts({ fetchedAt: '2026-11-21T06:03:59.000Z' }) });
  await old.service.plan(request);
  expect(old.asked.map((one) => one.verb)).toEqual(['inventory']);
});

test('facts from before another restore touched the target are fetched again', async () => {
  const run = setUp({
    target: targetFacts({ fetchedAt: '2026-11-21T06:04:50.000Z' }),
    touched: true,
  });
  await run.service.plan(request);
  expect(run.asked.map((one) => one.verb)).toEqual(['inventory']);
  expect(run.planned[0]?.reservations).toEqual([{ jobId: 'job-9', storage: 'default', bytes: 7 }]);
});

test.each([
  ['no agent serves the target', [agentView({ agentId: 'b' })], 'PLAN_AGENT_MISSING'],
  ['the agent is offline', [{ ...able, online: false }], 'PLAN_AGENT_OFFLINE'],
])('%s: a coded error before anything is asked', async (_name, agents, code) => {
  const run = setUp({ agents });
  await expect(run.service.plan(request)).rejects.toSatisfy((error) => hasCode(error, code));
});
