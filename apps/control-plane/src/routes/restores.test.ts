import { restoreReportSchema, restoreSchema } from '@ascend/protocol';
import { systemClock } from '@ascend/runtime';
import { verifyAudit } from '@ascend/store';
import { pgtest1 } from '@ascend/store/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listen, type ApiServer } from '../http/server.ts';
import type { FakeAgent } from '../testing/fakeAgent.ts';
import {
  bringAgent,
  planRestore,
  registerEstate,
  startRestore,
  untilRestore,
} from '../testing/testEstate.ts';
import { codeOf, startTestPlane, type TestPlane, type TestReplica } from '../testing/testPlane.ts';

let plane: TestPlane;
let api: TestReplica;
let agent: FakeAgent;
let server: ApiServer;

beforeAll(async () => {
  plane = await startTestPlane();
  api = await plane.replica();
  await registerEstate(plane, api);
});
afterAll(async () => {
  await server?.close(100);
  await agent?.stop();
  await plane.close();
});

const backupId = pgtest1.incrementalIds[0]!;
const request = { backup_id: backupId, target_id: 'local', policy: {} };

test('without an agent in contact a plan is refused with the reason', async () => {
  const answer = await api.call('POST', '/restores/plan', request);
  expect(codeOf(answer)).toMatch(/^PLAN_AGENT_(MISSING|OFFLINE)$/);
});

test('a plan tells steps, disks and findings, and is kept', async () => {
  agent = await bringAgent(plane);
  const plan = await planRestore(api, { vm_name: 'planned' });
  expect(plan).toMatchObject({
    plan_version: 1,
    backup_id: backupId,
    vm: { name: 'planned' },
    target: { target_id: 'local', agent_id: 'edge' },
    source: { repository_id: 'repo-1', root_path: '/backups' },
  });
  expect(plan.steps.map((step) => step.kind)).toContain('transfer-disk');
  expect(plan.findings.some((finding) => finding.code === 'PLAN_DRIVER_INJECTED')).toBe(true);
});

test.each([
  ['an unknown backup', { ...request, backup_id: 'nope' }, 404, 'CATALOG_BACKUP_UNKNOWN'],
  ['an unknown target', { ...request, target_id: 'nope' }, 404, 'STORE_TARGET_UNKNOWN'],
  ['a mistyped policy field', { ...request, policy: { vm_nmae: 'x' } }, 422, 'API_INPUT_INVALID'],
  ['a policy in camel case', { ...request, policy: { vmName: 'x' } }, 422, 'API_INPUT_INVALID'],
  [
    'an upper-case MAC',
    { ...request, policy: { macs: { 0: 'AA:BB:CC:DD:EE:FF' } } },
    422,
    'API_INPUT_INVALID',
  ],
  ['no target', { backup_id: backupId }, 422, 'API_INPUT_INVALID'],
])('planning with %s is refused', async (_name, body, status, code) => {
  const answer = await api.call('POST', '/restores/plan', body);
  expect(codeOf(answer)).toBe(code);
  expect(answer.status).toBe(status);
});

test.each([
  ['an unknown plan', { plan_id: 'nope' }, 404, 'STORE_PLAN_UNKNOWN'],
  ['neither plan nor id', {}, 422, 'API_INPUT_INVALID'],
  ['half a plan', { plan: { plan_id: 'x' } }, 422, 'API_INPUT_INVALID'],
])('starting with %s is refused', async (_name, body, status, code) => {
  const answer = await api.call('POST', '/restores', body);
  expect(codeOf(answer)).toBe(code);
  expect(answer.status).toBe(status);
});

test('a plan whose inputs changed is stale and names what changed', async () => {
  const plan = await planRestore(api, { vm_name: 'stale' });
  await plane.db.pool.query("UPDATE backup_jobs SET vm_name = 'renamed' WHERE id = ?", [backupId]);
  const answer = await api.call('POST', '/restores', { plan_id: plan.plan_id });
  await plane.db.pool.query("UPDATE backup_jobs SET vm_name = 'pgtest1' WHERE id = ?", [backupId]);
  expect(codeOf(answer)).toBe('PLAN_STALE');
  expect(answer).toMatchObject({ status: 409, json: { changes: [{ input: 'backup.record' }] } });
});

test('a plan that was edited by hand is stale, whatever it says of itself', async () => {
  const plan = await planRestore(api, { vm_name: 'edited' });
  const edited = { ...plan, policy: { ...plan.policy, vm_name: 'other' } };
  const answer = await api.call('POST', '/restores', { plan: edited });
  expect(codeOf(answer)).toBe('PLAN_STALE');
  const moved = { ...plan, source: { ...plan.source, root_path: '/etc' } };
  const started = await api.call('POST', '/restores', { plan: moved });
  const { id } = restoreSchema.parse(started.json);
  const report = restoreReportSchema.parse((await api.call('GET', `/restores/${id}/report`)).json);
  expect(report.plan.source.root_path).toBe('/backups');
  await untilRestore(api, id, (restore) => restore.state === 'completed');
});

test('blocked findings forbid the start and are told', async () => {
  const plan = await planRestore(api, { vm_name: 'blocked', exclude_disks: [0] });
  const answer = await api.call('POST', '/restores', { plan_id: plan.plan_id });
  expect(codeOf(answer)).toBe('PLAN_BLOCKED');
  expect(answer).toMatchObject({ status: 422, json: { findings: [{ severity: 'blocked' }] } });
});

test.each([
  ['GET', '/restores/nope', 404],
  ['GET', '/restores/nope/events', 404],
  ['GET', '/restores/nope/report', 404],
  ['POST', '/restores/nope/cancel', 404],
  ['POST', '/restores/nope/retry', 404],
] as const)('%s %s of an unknown restore is 404', async (method, path, status) => {
  const answer = await api.call(method, path);
  expect(codeOf(answer)).toBe('STORE_JOB_UNKNOWN');
  expect(answer.status).toBe(status);
});

test('orders need the right form, role and state', async () => {
  const started = await startRestore(api, 'ordered');
  await untilRestore(api, started.id, (restore) => restore.state === 'completed');
  const path = `/restores/${started.id}`;
  expect((await api.call('POST', `${path}/cancel`, { rollback: 'yes' })).status).toBe(422);
  expect((await api.call('POST', `${path}/cancel`, {}, 'viewer')).status).toBe(403);
  expect(codeOf(await api.call('POST', `${path}/pause`))).toBe('RESTORE_TRANSITION_ILLEGAL');
  expect(codeOf(await api.call('POST', `${path}/stop`))).toBe('API_ROUTE_UNKNOWN');
  const list = await api.call('GET', '/restores?status=completed', undefined, 'viewer');
  expect(JSON.stringify(list.json)).toContain(started.id);
});

interface Streamed {
  readonly status: number;
  readonly text: string;
}

async function stream(id: string, lastEventId?: string): Promise<Streamed> {
  server ??= await listen(api.plane.api, { host: '127.0.0.1', port: 0 });
  const response = await fetch(`http://127.0.0.1:${server.port}/api/v1/restores/${id}/events`, {
    headers: {
      authorization: `Bearer ${plane.tokens.viewer}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
  });
  return { status: response.status, text: await response.text() };
}

test('the event stream shows a running restore to its end, and a resume replays what was missed', async () => {
  const started = await startRestore(api, 'streamed');
  const live = await stream(started.id);
  expect(live.status).toBe(200);
  const events = [...live.text.matchAll(/^event: (.+)$/gm)].map((match) => match[1]);
  expect(events[0]).toBe('snapshot');
  expect(events).toContain('step-state');
  expect(events.at(-1)).toBe('job-ended');
  const ids = [...live.text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  const replay = await stream(started.id, '0');
  const replayed = [...replay.text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
  expect(replayed).toEqual(Array.from({ length: ids.at(-1)! + 1 }, (_, index) => index));
  expect(await stream(started.id, String(ids.at(-1)))).toEqual({ status: 204, text: '' });
});

test('the report holds the plan and what finalize said', async () => {
  const started = await startRestore(api, 'reported');
  await untilRestore(api, started.id, (restore) => restore.state === 'completed');
  const answer = await api.call('GET', `/restores/${started.id}/report`);
  const report = restoreReportSchema.parse(answer.json);
  expect(report).toMatchObject({
    restore: { id: started.id },
    plan: { vm: { name: 'reported' } },
    report: { done: 'finalize' },
  });
});

test('every mutating call has left a row in an unbroken audit trail', async () => {
  await systemClock.sleep(50);
  expect(await verifyAudit(plane.db)).toBeGreaterThan(10);
  const [rows] = await plane.db.pool.query(
    "SELECT subject FROM audit WHERE action = 'POST /api/v1/restores'",
  );
  expect(JSON.stringify(rows)).toContain(`of ${backupId} to local`);
});
