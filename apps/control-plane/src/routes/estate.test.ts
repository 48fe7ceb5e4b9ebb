import {
  agentInboxPrefix,
  connectBus,
  createAgentBus,
  createSealingKey,
  createUserKey,
  openSealed,
  type BusConnection,
  type OwnKey,
} from '@ascend/bus';
import { hasCode } from '@ascend/errors';
import {
  agentListSchema,
  catalogAddAnswerSchema,
  enrollmentTokenSchema,
  enrolmentAnswerSchema,
  repositorySchema,
  targetInventorySchema,
  targetSchema,
  type EnrolmentAnswer,
} from '@ascend/protocol';
import { silentLogger, systemClock } from '@ascend/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFakeAgent, type FakeAgent } from '../testing/fakeAgent.ts';
import { targetFacts } from '../testing/plans.ts';
import {
  codeOf,
  startTestPlane,
  type Answer,
  type TestPlane,
  type TestReplica,
} from '../testing/testPlane.ts';

let plane: TestPlane;
let api: TestReplica;
let connection: BusConnection;
let agent: FakeAgent;
let answer: EnrolmentAnswer;
const user: OwnKey = createUserKey();
const sealing: OwnKey = createSealingKey();
const address = { siteId: 'here', agentId: 'edge' };

beforeAll(async () => {
  plane = await startTestPlane();
  api = await plane.replica();
});
afterAll(async () => {
  await agent?.stop();
  await plane.close();
});

const enrolment = (token: string) => ({
  token,
  agent_id: 'edge',
  public_key: user.publicKey,
  public_xkey: sealing.publicKey,
  version: '0.1.0',
});

async function enrol(body: unknown): Promise<Answer> {
  const response = await api.plane.api.request('/api/v1/agents/enrol', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

async function newToken(siteId = 'here'): Promise<string> {
  const made = await api.call('POST', '/enrollment-tokens', { site_id: siteId });
  return enrollmentTokenSchema.parse(made.json).token;
}

test('sites are made once', async () => {
  expect(await api.call('POST', '/sites', { site_id: 'here', name: 'Here' })).toMatchObject({ status: 201 });
  expect(codeOf(await api.call('POST', '/sites', { site_id: 'here', name: 'Again' }))).toBe('API_ID_TAKEN');
  expect(codeOf(await api.call('POST', '/sites', { site_id: 'No Good', name: 'x' }))).toBe(
    'API_INPUT_INVALID',
  );
  expect((await api.call('GET', '/sites')).json).toEqual({ sites: [{ site_id: 'here', name: 'Here' }] });
  expect((await api.call('POST', '/sites', { site_id: 'b', name: 'B' }, 'operator')).status).toBe(403);
});

test('an agent enrols with its one-time token exactly once and gets onto the bus with its credential', async () => {
  const token = await newToken();
  const enrolled = await enrol(enrolment(token));
  expect(enrolled.status).toBe(200);
  answer = enrolmentAnswerSchema.parse(enrolled.json);
  expect(answer).toMatchObject({ agent_id: 'edge', site_id: 'here', nats_urls: [plane.nats.url] });
  expect(codeOf(await enrol(enrolment(token)))).toBe('STORE_ENROLLMENT_REFUSED');
  connection = await connectBus({
    servers: answer.nats_urls,
    jwt: () => answer.jwt,
    seed: user.seed,
    inboxPrefix: agentInboxPrefix(address),
    name: 'edge',
    logger: silentLogger,
    clock: systemClock,
  });
  agent = startFakeAgent({
    connection,
    address,
    clock: systemClock,
    repositories: { vault: '/data/vault' },
    targetFacts: targetFacts({ targetId: 'local', vmNames: ['one'] }),
    scanned: {
      contexts: [
        {
          contextId: 'ctx-web',
          vmName: 'web',
          sidecars: [],
          vmSpec: null,
          backups: [
            {
              backupId: 'scan-web-1',
              backupType: 'full',
              createdAt: '2026-01-02T03:04:05Z',
              disks: [
                {
                  diskIndex: 0,
                  image: {
                    relPath: 'web/disk-0/a.qcow2',
                    format: 'qcow2',
                    fileSizeBytes: 1000,
                    mtimeMs: 1,
                    virtualSizeBytes: 2 ** 30,
                    backingRelPath: null,
                  },
                },
              ],
            },
          ],
        },
      ],
      skipped: [{ relPath: 'x.txt', code: 'DISK_FORMAT_UNKNOWN', reason: 'no disk image' }],
    },
  });
  expect(await agent.hello([])).toEqual({});
  const { agents } = agentListSchema.parse((await api.call('GET', '/agents')).json);
  expect(agents).toMatchObject([{ agent_id: 'edge', online: true, revoked: false, site_id: 'here' }]);
});

test.each([
  ['a wrong token', { token: 'x'.repeat(40) }, 403, 'STORE_ENROLLMENT_REFUSED'],
  ['a bad agent id', { agent_id: 'Edge 1' }, 422, 'API_INPUT_INVALID'],
  ['a key that is none', { public_key: 'U123' }, 422, 'API_INPUT_INVALID'],
  ['an unknown field', { seed: 'SU…' }, 422, 'API_INPUT_INVALID'],
])('enrolling with %s is refused', async (_name, part, status, code) => {
  const refused = await enrol({ ...enrolment('y'.repeat(40)), ...part });
  expect(codeOf(refused)).toBe(code);
  expect(refused.status).toBe(status);
});

test('an agent of another site cannot take the id, and its token is not used up', async () => {
  await api.call('POST', '/sites', { site_id: 'there', name: 'There' });
  const token = await newToken('there');
  const keys = { public_key: createUserKey().publicKey, public_xkey: createSealingKey().publicKey };
  expect(codeOf(await enrol({ ...enrolment(token), ...keys }))).toBe('API_AGENT_EXISTS');
  expect((await enrol({ ...enrolment(token), ...keys, agent_id: 'other' })).status).toBe(200);
});

test('repositories are made, changed, listed and removed; an agent adds its own root', async () => {
  const made = await api.call('POST', '/repositories', { id: 'vault', name: 'Vault', site_id: 'here' });
  expect(made).toMatchObject({ status: 201, json: { id: 'vault', type: 'local', roots: [] } });
  expect(codeOf(await api.call('POST', '/repositories', { id: 'vault', name: 'V' }))).toBe('API_ID_TAKEN');
  expect(codeOf(await api.call('POST', '/repositories', { id: 'v2', name: 'V', site_id: 'no' }))).toBe(
    'STORE_SITE_UNKNOWN',
  );
  const relative = { id: 'v3', name: 'V', roots: [{ agent_id: 'edge', root_path: 'data' }] };
  expect(codeOf(await api.call('POST', '/repositories', relative))).toBe('API_INPUT_INVALID');
  await agent.hello([]);
  const one = repositorySchema.parse((await api.call('GET', '/repositories/vault')).json);
  expect(one.roots).toEqual([{ agent_id: 'edge', root_path: '/data/vault' }]);
  const put = await api.call('PUT', '/repositories/vault', { name: 'New', roots: one.roots });
  expect(put).toMatchObject({ status: 200, json: { name: 'New', site_id: null } });
  await api.call('POST', '/repositories', { id: 'gone', name: 'Gone' });
  expect((await api.call('DELETE', '/repositories/gone')).status).toBe(204);
  expect(codeOf(await api.call('GET', '/repositories/gone'))).toBe('CATALOG_REPOSITORY_UNKNOWN');
});

test('a repository is scanned by its agent, twice with the same result', async () => {
  const first = await api.call('POST', '/catalog/scan', { repository_id: 'vault' }, 'operator');
  expect(first).toMatchObject({
    status: 200,
    json: { backups: 1, skipped: [{ path: 'x.txt', code: 'DISK_FORMAT_UNKNOWN' }] },
  });
  await api.call('POST', '/catalog/scan', { repository_id: 'vault' });
  const list = await api.call('GET', '/backups?vm_name=web');
  expect(list.json).toMatchObject({ backups: [{ backup_id: 'scan-web-1', vm_name: 'web' }] });
  expect(codeOf(await api.call('POST', '/catalog/scan', { repository_id: 'nope' }))).toBe(
    'CATALOG_REPOSITORY_UNKNOWN',
  );
  const wrong = { repository_id: 'vault', agent_id: 'other' };
  expect(codeOf(await api.call('POST', '/catalog/scan', wrong))).toBe('PLAN_AGENT_MISSING');
  expect(codeOf(await api.call('DELETE', '/repositories/vault'))).toBe('CATALOG_REPOSITORY_IN_USE');
});

test('image files are registered as a restore point', async () => {
  const body = {
    repository_id: 'vault',
    vm_name: 'added',
    disks: [{ path: 'added/a.qcow2' }, { path: 'added/b.img', format: 'raw' }],
    created_at: '2026-02-03T04:05:06Z',
  };
  const added = await api.call('POST', '/catalog/add', body);
  expect(added.status).toBe(201);
  const { backup_id: backupId } = catalogAddAnswerSchema.parse(added.json);
  expect((await api.call('GET', `/backups/${backupId}`)).json).toMatchObject({
    vm_name: 'added',
    created_at: '2026-02-03T04:05:06Z',
    disks: [{ source_format: 'qcow2' }, { source_format: 'raw' }],
  });
  const mistaken = { ...body, disks: [{ path: 'added/a.qcow2', format: 'vhdx' }] };
  expect(codeOf(await api.call('POST', '/catalog/add', mistaken))).toBe('API_INPUT_INVALID');
});

test('a catalogue source that cannot be used is refused without telling what it holds', async () => {
  const unset = await api.call('POST', '/catalog/sync', { source: 'env:NOT_SET' });
  expect(codeOf(unset)).toBe('CONFIG_INVALID');
  expect((await api.call('POST', '/catalog/sync', { source: 'env:X' }, 'operator')).status).toBe(403);
  expect(codeOf(await api.call('POST', '/catalog/sync', { source: 'mysql://u:p@h/d' }))).toBe(
    'API_INPUT_INVALID',
  );
});

const target = {
  target_id: 'local',
  name: 'Local',
  platform: 'kvm',
  connection: { state_dir: '/state', password: 'inline-pw' },
  secrets: { api_key: 'key-1' },
  agent_ids: ['edge'],
};

test('a target keeps its secrets apart, sealed, and shows their names only', async () => {
  const made = await api.call('POST', '/targets', target);
  expect(made.status).toBe(201);
  expect(targetSchema.parse(made.json)).toMatchObject({
    connection: { state_dir: '/state' },
    secret_names: ['api_key', 'password'],
    agent_ids: ['edge'],
  });
  const [rows] = await plane.db.pool.query('SELECT * FROM targets');
  expect(JSON.stringify(rows)).not.toMatch(/inline-pw|key-1/);
  expect(codeOf(await api.call('POST', '/targets', target))).toBe('API_ID_TAKEN');
  const nested = { ...target, target_id: 'nested', connection: { proxy: { password: 'x' } } };
  expect(codeOf(await api.call('POST', '/targets', nested))).toBe('API_INPUT_INVALID');
  const unshipped = { ...target, target_id: 'far', name: 'Far', platform: 'aws' };
  expect(codeOf(await api.call('POST', '/targets', unshipped))).toBe('API_PLATFORM_UNSUPPORTED');
  expect((await api.call('POST', '/targets', target, 'operator')).status).toBe(403);
});

test('an agent that serves the target gets a secret sealed to its key; others get none', async () => {
  const bus = createAgentBus(connection, address);
  const ask = (targetId: string, name: string) =>
    bus.ask('secret', { opId: null, targetId, name }, { deadlineMs: 5_000 });
  const { sealed } = await ask('local', 'password');
  const plain = openSealed({ seed: sealing.seed, sender: answer.control_xkey, sealed });
  expect(Buffer.from(plain).toString()).toBe('inline-pw');
  await expect(ask('local', 'nothing')).rejects.toSatisfy((error) => hasCode(error, 'API_SECRET_REFUSED'));
  await api.call('PUT', '/targets/local', { agent_ids: [], secrets: { api_key: 'key-2' } });
  await expect(ask('local', 'api_key')).rejects.toSatisfy((error) => hasCode(error, 'API_SECRET_REFUSED'));
  await api.call('PUT', '/targets/local', { agent_ids: ['edge'], connection: { password: 'newer' } });
  const opened = await Promise.all(
    ['api_key', 'password'].map(async (name) => {
      const reply = await ask('local', name);
      const bytes = openSealed({ seed: sealing.seed, sender: answer.control_xkey, sealed: reply.sealed });
      return Buffer.from(bytes).toString();
    }),
  );
  expect(opened).toEqual(['key-2', 'newer']);
});

test('check and inventory are asked of the agent', async () => {
  expect((await api.call('POST', '/targets/local/check', {}, 'operator')).json).toEqual({
    target_id: 'local',
    ok: true,
    findings: [],
  });
  const inventory = targetInventorySchema.parse((await api.call('GET', '/targets/local/inventory')).json);
  expect(inventory).toMatchObject({ vm_names: ['one'], storages: [{ name: 'default' }] });
  await api.call('POST', '/targets', { ...target, target_id: 'lonely', name: 'Lonely', agent_ids: [] });
  expect(codeOf(await api.call('POST', '/targets/lonely/check'))).toBe('PLAN_AGENT_MISSING');
  expect((await api.call('DELETE', '/targets/lonely')).status).toBe(204);
  expect(codeOf(await api.call('GET', '/targets/lonely'))).toBe('STORE_TARGET_UNKNOWN');
});

test('a credential is renewed for an agent until it is revoked', async () => {
  const bus = createAgentBus(connection, address);
  const { jwt } = await bus.ask('renew', {}, { deadlineMs: 5_000 });
  expect(jwt.split('.')).toHaveLength(3);
  expect((await api.call('DELETE', '/agents/edge')).status).toBe(204);
  await expect(bus.ask('renew', {}, { deadlineMs: 5_000 })).rejects.toSatisfy((error) =>
    hasCode(error, 'API_AGENT_REVOKED'),
  );
  const { agents } = agentListSchema.parse((await api.call('GET', '/agents')).json);
  expect(agents.find((one) => one.agent_id === 'edge')).toMatchObject({ online: false, revoked: true });
  expect(codeOf(await api.call('DELETE', '/agents/nobody'))).toBe('STORE_AGENT_UNKNOWN');
});

test('health, readiness, metrics and the description are served', async () => {
  const open = await api.plane.api.request('/api/v1/health');
  expect(await open.json()).toEqual({ status: 'ok' });
  const ready = await api.plane.api.request('/api/v1/ready');
  expect(await ready.json()).toMatchObject({ ready: true, checks: [{ name: 'database' }, { name: 'bus' }] });
  const metrics = await api.plane.api.request('/api/v1/metrics', {
    headers: { authorization: `Bearer ${plane.tokens.viewer}` },
  });
  expect(await metrics.text()).toContain('ascend_agents_online');
  const described = await (await api.plane.api.request('/api/v1/openapi.json')).json();
  expect(described).toHaveProperty(['paths', '/api/v1/restores/{id}/events', 'get']);
  expect(described).toHaveProperty(['paths', '/api/v1/backups/chain', 'get']);
  expect(described).toHaveProperty(['components', 'schemas', 'Problem']);
});

test('without the bus the control plane says that it is not ready', async () => {
  await plane.nats.kill();
  await expect
    .poll(async () => (await api.plane.api.request('/api/v1/ready')).status, { timeout: 10_000 })
    .toBe(503);
  await plane.nats.start();
  await expect
    .poll(async () => (await api.plane.api.request('/api/v1/ready')).status, { timeout: 20_000 })
    .toBe(200);
});
