import type { AgentAddress, ApiPlan, Restore } from '@ascend/protocol';
import { apiPlanSchema, restoreSchema } from '@ascend/protocol';
import { systemClock } from '@ascend/runtime';
import { putAgent } from '@ascend/store';
import { insertPgtest1, pgtest1 } from '@ascend/store/testing';
import { AppError } from '@ascend/errors';
import { startFakeAgent, type FakeAgent, type StepScript } from './fakeAgent.ts';
import { pointFacts, targetFacts } from './plans.ts';
import type { TestPlane, TestReplica } from './testPlane.ts';

/** The agent of the test estate. */
const edge: AgentAddress = { siteId: 'here', agentId: 'edge' };

/** Registers a site, an agent, the sample repository and a target, all by the API but the agent's keys. */
export async function registerEstate(plane: TestPlane, api: TestReplica): Promise<void> {
  await insertPgtest1(plane.db);
  await api.call('POST', '/sites', { site_id: edge.siteId, name: 'Here' });
  const keys = { publicKey: `U${'A'.repeat(55)}`, publicXkey: `X${'A'.repeat(55)}` };
  await putAgent(plane.db, { ...edge, ...keys, version: '0.1.0' }, systemClock.now());
  const target = {
    target_id: 'local',
    name: 'Local',
    platform: 'kvm',
    connection: { storages: { default: '/vms' }, state_dir: '/state' },
    agent_ids: [edge.agentId],
  };
  const made = await api.call('POST', '/targets', target);
  if (made.status !== 201) {
    throw new AppError({ code: 'INTERNAL_BUG', message: `register estate: ${JSON.stringify(made.json)}` });
  }
}

/** Connects a scripted agent and says hello, after which it is online. */
export async function bringAgent(
  plane: TestPlane,
  options: {
    readonly script?: Readonly<Record<string, StepScript>>;
    readonly duplicateEvents?: boolean;
    readonly beatEveryMs?: number;
  } = {},
): Promise<FakeAgent> {
  const now = new Date(systemClock.now()).toISOString();
  const agent = startFakeAgent({
    connection: await plane.nats.agent(edge),
    address: edge,
    clock: systemClock,
    repositories: { [pgtest1.repositoryId]: '/backups' },
    facts: pointFacts({ backupId: pgtest1.incrementalIds[0] ?? '', analyzedAt: now }),
    targetFacts: targetFacts({ targetId: 'local', fetchedAt: now }),
    ...options,
  });
  await agent.hello([]);
  return agent;
}

/** Plans a restore of the sample's first incremental. */
export async function planRestore(api: TestReplica, policy: Record<string, unknown> = {}): Promise<ApiPlan> {
  const body = { backup_id: pgtest1.incrementalIds[0], target_id: 'local', policy };
  return apiPlanSchema.parse((await api.call('POST', '/restores/plan', body)).json);
}

/** Plans and starts a restore under a VM name. */
export async function startRestore(
  api: TestReplica,
  vmName: string,
  policy: Record<string, unknown> = {},
): Promise<Restore> {
  const plan = await planRestore(api, { vm_name: vmName, ...policy });
  const answer = await api.call('POST', '/restores', { plan_id: plan.plan_id });
  if (answer.status !== 201) {
    throw new AppError({ code: 'INTERNAL_BUG', message: `start restore: ${JSON.stringify(answer.json)}` });
  }
  return restoreSchema.parse(answer.json);
}

/** The restore as the API shows it. */
async function readRestore(api: TestReplica, id: string): Promise<Restore> {
  return restoreSchema.parse((await api.call('GET', `/restores/${id}`)).json);
}

/** Waits until the restore is as wanted. */
export async function untilRestore(
  api: TestReplica,
  id: string,
  isWanted: (restore: Restore) => boolean,
): Promise<Restore> {
  const limitMs = systemClock.now() + 30_000;
  for (;;) {
    const restore = await readRestore(api, id);
    if (isWanted(restore)) return restore;
    if (systemClock.now() > limitMs) {
      const steps = restore.steps.map((step) => `${step.step_key} ${step.state} ${step.error_message ?? ''}`);
      const message = `wait for restore ${id}: it is ${restore.state}: ${steps.join('; ')}`;
      throw new AppError({ code: 'INTERNAL_BUG', message });
    }
    await systemClock.sleep(30);
  }
}
