import { agentListSchema, restoreReportSchema, restoreSchema } from '@ascend/protocol';
import { AppError } from '@ascend/errors';
import { systemClock } from '@ascend/runtime';
import { readEvents, revokeAgent } from '@ascend/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FakeAgent, StepScript } from '../testing/fakeAgent.ts';
import { bringAgent, registerEstate, startRestore, untilRestore } from '../testing/testEstate.ts';
import { codeOf, startTestPlane, type TestPlane, type TestReplica } from '../testing/testPlane.ts';

const mib = 1024 ** 2;

let plane: TestPlane;
let api: TestReplica;
let agent: FakeAgent;
const transfersMayEnd = Promise.withResolvers<void>();
const checksMayEnd = Promise.withResolvers<void>();
let isBroken = true;

const script: Readonly<Record<string, StepScript>> = {
  'transfer-disk': async () => {
    await transfersMayEnd.promise;
    if (isBroken) throw new AppError({ code: 'INPUT_INVALID', message: 'copy: no such disk' });
    return null;
  },
  'validate-target': async () => checksMayEnd.promise,
};

beforeAll(async () => {
  plane = await startTestPlane();
  api = await plane.replica();
  await registerEstate(plane, api);
  agent = await bringAgent(plane, { script });
});
afterAll(async () => {
  transfersMayEnd.resolve();
  checksMayEnd.resolve();
  await agent.stop();
  await plane.close();
});

async function shown(id: string) {
  return restoreSchema.parse((await api.call('GET', `/restores/${id}`)).json);
}

async function limit(id: string, rate: unknown, role: 'viewer' | 'operator' = 'operator') {
  return await api.call('POST', `/restores/${id}/bandwidth`, { bytes_per_second: rate }, role);
}

test('a cap set before the transfers start goes with their commands, and one set while they run is told at once', async () => {
  const { id } = await startRestore(api, 'limited', { bandwidth_bytes_per_second: mib });
  expect((await shown(id)).bandwidth).toEqual({
    bytes_per_second: mib,
    source: 'plan',
    agents: [{ agent_id: 'edge', bytes_per_second: 100 * mib, source: 'settings' }],
  });
  const waiting = await limit(id, 2 * mib);
  expect(waiting).toMatchObject({
    status: 200,
    json: { restore_id: id, bytes_per_second: 2 * mib, agents: [{ agent_id: 'edge', applied: true }] },
  });
  checksMayEnd.resolve();
  await untilRestore(api, id, (restore) =>
    restore.steps.some((step) => step.kind === 'transfer-disk' && step.state === 'running'),
  );
  expect(agent.caps['transfer-disk:0']).toMatchObject({ bytesPerSecond: 2 * mib });
  expect(agent.caps['validate-target']).toBeUndefined();
  expect((await limit(id, null)).status).toBe(200);
  const [first, second] = agent.limits;
  expect(second).toMatchObject({ jobId: id, cap: { bytesPerSecond: null } });
  expect(second?.cap.revision).toBeGreaterThan(first?.cap.revision ?? Number.NaN);
  expect((await shown(id)).bandwidth).toMatchObject({ bytes_per_second: null, source: 'operator' });
  const report = restoreReportSchema.parse((await api.call('GET', `/restores/${id}/report`)).json);
  expect(report.plan.policy.bandwidth_bytes_per_second).toBe(mib);
});

test('an agent that says hello hears the caps of the restores that run on it, also from another replica', async () => {
  const [restore] = agent.limits;
  const other = await plane.replica();
  await other.call('PUT', '/agents/edge/bandwidth', { bytes_per_second: 8 * mib });
  await agent.hello([]);
  expect(agent.heardCaps()).toEqual({
    agent: { bytesPerSecond: 8 * mib, revision: expect.any(Number) },
    jobs: { [restore?.jobId ?? '']: { bytesPerSecond: null, revision: expect.any(Number) } },
  });
  await other.stop();
});

test('a retry of a failed restore takes the cap that was set meanwhile; an ended one takes none', async () => {
  const id = agent.limits[0]?.jobId ?? '';
  transfersMayEnd.resolve();
  await untilRestore(api, id, (restore) => restore.state === 'failed');
  await agent.hello([]);
  expect(agent.heardCaps()?.jobs).toEqual({});
  expect((await limit(id, 3 * mib)).status).toBe(200);
  isBroken = false;
  await api.call('POST', `/restores/${id}/retry`, {});
  await untilRestore(api, id, (restore) => restore.state === 'completed');
  expect(agent.caps['transfer-disk:0']).toMatchObject({ bytesPerSecond: 3 * mib });
  const late = await limit(id, mib);
  expect(codeOf(late)).toBe('RESTORE_TRANSITION_ILLEGAL');
  expect(late.status).toBe(409);
  const events = await readEvents(plane.db, { jobId: id, afterSeq: 0 });
  const told = events.filter((event) => event.type === 'bandwidth-limited').map((event) => event.data);
  expect(told).toEqual(
    [2 * mib, null, 3 * mib].map((rate) => ({ bytes_per_second: rate, by: 'the operator' })),
  );
});

test.each([0, 1023, -1, 1.5, '50M', 2 ** 60, undefined])('a bandwidth of %j is refused', async (rate) => {
  const id = agent.limits[0]?.jobId ?? '';
  for (const answer of [
    await limit(id, rate),
    await api.call('PUT', '/agents/edge/bandwidth', { bytes_per_second: rate }),
  ]) {
    expect(codeOf(answer)).toBe('API_INPUT_INVALID');
    expect(answer.status).toBe(422);
  }
});

test('unknown restores and agents are missing, and a viewer may change nothing', async () => {
  expect(codeOf(await limit('nope', mib))).toBe('STORE_JOB_UNKNOWN');
  const agentCap = { bytes_per_second: 64 * 1024 };
  expect(codeOf(await api.call('PUT', '/agents/nope/bandwidth', agentCap))).toBe('STORE_AGENT_UNKNOWN');
  expect((await limit('nope', mib, 'viewer')).status).toBe(403);
  expect((await api.call('PUT', '/agents/edge/bandwidth', agentCap, 'viewer')).status).toBe(403);
  const little = await api.call('PUT', '/agents/edge/bandwidth', { bytes_per_second: 65_535 });
  expect(codeOf(little)).toBe('API_INPUT_INVALID');
});

test('the cap of an agent overrides its settings and is listed; one that is away hears it at its next hello', async () => {
  const set = (rate: number | null) =>
    api.call('PUT', '/agents/edge/bandwidth', { bytes_per_second: rate }, 'operator');
  expect(await set(null)).toMatchObject({
    status: 200,
    json: { agent_id: 'edge', bytes_per_second: null, applied: true },
  });
  expect(agent.limits.at(-1)).toMatchObject({ jobId: null, cap: { bytesPerSecond: null } });
  const { agents } = agentListSchema.parse((await api.call('GET', '/agents')).json);
  expect(agents[0]?.bandwidth).toEqual({ bytes_per_second: null, source: 'operator' });
  await agent.stop();
  expect((await set(5 * mib)).json).toMatchObject({ bytes_per_second: 5 * mib, applied: false });
  agent = await bringAgent(plane);
  expect(agent.heardCaps()?.agent).toMatchObject({ bytesPerSecond: 5 * mib });
});

test('who changed which cap to what is in the audit trail', async () => {
  const [rows] = await plane.db.pool.query(
    "SELECT actor, action, subject FROM audit WHERE action LIKE '%/bandwidth' ORDER BY seq",
  );
  expect(rows).toContainEqual({
    actor: 'the operator',
    action: 'PUT /api/v1/agents/edge/bandwidth',
    subject: `agent edge: ${5 * mib} bytes per second`,
  });
  expect(JSON.stringify(rows)).toContain(': no cap');
});

test('the API description names both calls', async () => {
  const answer = await api.call('GET', '/openapi.json');
  const text = JSON.stringify(answer.json);
  expect(text).toContain('"/api/v1/restores/{id}/bandwidth"');
  expect(text).toContain('"/api/v1/agents/{id}/bandwidth"');
});

test('a revoked agent takes no cap', async () => {
  await revokeAgent(plane.db, 'edge', systemClock.now());
  const answer = await api.call('PUT', '/agents/edge/bandwidth', { bytes_per_second: mib });
  expect(codeOf(answer)).toBe('API_AGENT_REVOKED');
});
