import { execPath } from 'node:process';
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitFor } from '@ascend/bus/testing';
import { hasCode } from '@ascend/errors';
import { childWork, Secret, startProcess, systemClock, type Clock } from '@ascend/runtime';
import { checkGuestSources, readConfig } from './config.ts';
import { readCredentials } from './credentials.ts';
import { enrolAgent } from './enrol.ts';
import { createContact } from './link/contact.ts';
import { startLoop } from './link/loop.ts';
import { createRoots } from './roots.ts';
import { createWorkspace } from './workspace.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-agent-parts-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('the configuration is read with its defaults', () => {
  const config = readConfig({
    ASCEND_AGENT_DIR: '/var/lib/ascend/',
    ASCEND_AGENT_REPOSITORIES: 'vault=/backups/,nas=/mnt/nas',
    PATH: '/bin',
  });
  expect(config).toEqual({
    dir: '/var/lib/ascend/',
    scratchDir: '/var/lib/ascend/scratch',
    repositories: { vault: '/backups/', nas: '/mnt/nas' },
    applianceDir: null,
    keysDir: null,
    slots: 4,
    bandwidthBytesPerSecond: null,
    natsUrls: [],
    caFile: null,
    guestSources: { windowsDrivers: null, agentPackages: null },
    logLevel: 'info',
  });
});

async function checkSources(windowsDrivers: string | null, agentPackages: string | null): Promise<void> {
  await checkGuestSources({ guestSources: { windowsDrivers, agentPackages } });
}

test('an agent does not start with drivers or packages that are not there', async () => {
  const file = join(dir, 'virtio-win.iso');
  await writeFile(file, 'image');
  await expect(checkSources(file, dir)).resolves.toBeUndefined();
  await expect(checkSources(dir, null)).resolves.toBeUndefined();
  await expect(checkSources(join(dir, 'nowhere'), null)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('ASCEND_AGENT_WINDOWS_DRIVERS'),
  });
  await expect(checkSources(null, file)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('ASCEND_AGENT_PACKAGES'),
  });
});

test('the places of the appliance and of keys are absolute folders', () => {
  const folders = { ASCEND_AGENT_APPLIANCE_DIR: '/var/cache/a', ASCEND_AGENT_KEYS_DIR: '/etc/ascend/keys' };
  expect(readConfig({ ASCEND_AGENT_DIR: '/x', ...folders })).toMatchObject({
    applianceDir: '/var/cache/a',
    keysDir: '/etc/ascend/keys',
  });
  for (const name of Object.keys(folders))
    expect(() => readConfig({ ASCEND_AGENT_DIR: '/x', [name]: 'keys' })).toThrow(name);
});

test.each([
  ['65536', 65_536],
  ['50M', 50 * 1024 ** 2],
  ['1g', 1024 ** 3],
])('a bandwidth of %s for all transfers together is %i bytes per second', (text, expected) => {
  const environment = { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_BANDWIDTH: text };
  expect(readConfig(environment).bandwidthBytesPerSecond).toBe(expected);
});

test.each([
  ['no folder', {}],
  ['a relative folder', { ASCEND_AGENT_DIR: 'x' }],
  ['an unknown setting', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_REPOSITORY: 'a=/b' }],
  ['a repository without path', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_REPOSITORIES: 'vault' }],
  ['no slots', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_SLOTS: '0' }],
  ['a wrong address', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_NATS_URLS: 'http://x' }],
  ['a relative folder of drivers', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_WINDOWS_DRIVERS: 'drivers' }],
  ['a wrong level', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_LOG_LEVEL: 'loud' }],
  ['a bandwidth that is no size', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_BANDWIDTH: 'fast' }],
  ['a bandwidth of nothing', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_BANDWIDTH: '0' }],
  ['a bandwidth that moves no block in time', { ASCEND_AGENT_DIR: '/x', ASCEND_AGENT_BANDWIDTH: '63K' }],
])('a configuration with %s is refused', (_, environment) => {
  expect(() => readConfig(environment)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});

test.each([
  ['/backups', true],
  ['/backups/', true],
  ['/backups/vm/disk', true],
  ['/backups2', false],
  ['/backups/../etc', false],
  ['/', false],
  ['backups', false],
])('only configured repositories may be read: %s → %s', (path, allowed) => {
  const roots = createRoots({ vault: '/backups' });
  roots.learn({ everything: '/' });
  let outcome: unknown = true;
  try {
    roots.check(path);
  } catch (error) {
    outcome = hasCode(error, 'AGENT_REPOSITORY_UNKNOWN') ? false : error;
  }
  expect(outcome).toBe(allowed);
});

test('without a configured repository those of the control plane count', () => {
  const roots = createRoots({});
  expect(() => roots.check('/data')).toThrow(/not one of the 0/);
  roots.learn({ nas: '/data' });
  expect(roots.check('/data/vm')).toBe('/data/vm');
  expect(roots.current()).toEqual({ nas: '/data' });
});

test('a call that creates waits at the gate until contact is back', async () => {
  let now = 0;
  let slept = 0;
  const clock: Clock = {
    now: () => now,
    sleep: async () => {
      slept += 1;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const contact = createContact(clock, 60_000);
  const abort = new AbortController();
  const early = contact.gate(abort.signal);
  abort.abort();
  await expect(early).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  contact.confirm();
  now = 60_000;
  const before = slept;
  await contact.gate(new AbortController().signal);
  expect(slept).toBe(before);
  now = 60_001;
  let passed = false;
  const pass = async (): Promise<void> => {
    await contact.gate(new AbortController().signal);
    passed = true;
  };
  const waiting = pass();
  await waitFor(() => slept >= before + 5, 'five looks');
  expect(passed).toBe(false);
  expect(contact.waited()).toBeGreaterThanOrEqual(5);
  contact.confirm();
  await waiting;
  expect(passed).toBe(true);
});

test('a loop that is woken during its round does not pause after it', async () => {
  let rounds = 0;
  const loop = startLoop(systemClock, async () => {
    rounds += 1;
    await systemClock.sleep(10);
    if (rounds === 1) loop.wake();
    return 60_000;
  });
  await systemClock.sleep(50);
  expect(rounds).toBe(2);
  loop.wake();
  await systemClock.sleep(50);
  await loop.stop();
  expect(rounds).toBe(3);
});

test('the work folder of a job is private, survives, and is removed when empty', async () => {
  const workspace = createWorkspace(dir);
  const path = await workspace.jobDir('job-1', 0);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect(await workspace.jobDir('job-1', 0)).toBe(path);
  await writeFile(join(path, 'overlay'), 'x');
  await workspace.dropIfEmpty('job-1');
  expect(await readFile(join(path, 'overlay'), 'utf8')).toBe('x');
  await rm(join(path, 'overlay'));
  await workspace.dropIfEmpty('job-1');
  await expect(stat(path)).rejects.toThrow(/ENOENT/);
});

test.each(['..', 'a/b', '', '.hidden', 'x'.repeat(200)])('a job id %j never becomes a path', async (id) => {
  await expect(createWorkspace(dir).jobDir(id, 0)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
});

test('a step that needs more scratch than there is does not start', async () => {
  await expect(createWorkspace(dir).jobDir('job-1', 2 ** 60)).rejects.toMatchObject({
    code: 'AGENT_SCRATCH_FULL',
    category: 'exhausted',
  });
});

test('temporary folders are removed on both ways out, and what is left by a crash is swept', async () => {
  const workspace = createWorkspace(dir);
  const used = await workspace.withTemporary(async (path) => await Promise.resolve(path));
  await expect(stat(used)).rejects.toThrow(/ENOENT/);
  const failing = workspace.withTemporary(async () => await Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  for (const name of ['old', 'open', 'young']) await workspace.jobDir(name, 0);
  const longAgo = new Date(Date.now() - 86_400_000);
  for (const name of ['old', 'open']) await utimes(join(dir, 'jobs', name), longAgo, longAgo);
  expect(await workspace.sweep(new Set(['open']), 3_600_000, Date.now())).toEqual(['old']);
  await mkdir(join(dir, 'requests'), { recursive: true });
});

test('the CPU time of child processes grows while they work', async () => {
  const before = await childWork(process.pid);
  const child = startProcess({
    program: execPath,
    args: ['-e', 'const end = Date.now() + 1500; while (Date.now() < end);'],
  });
  await systemClock.sleep(700);
  const during = await childWork(process.pid);
  await child.ended;
  expect(during).toBeGreaterThan(before);
  expect(await childWork(1_999_999_999)).toBe(0);
});

interface FakeApi {
  readonly url: string;
  readonly bodies: unknown[];
  close(): Promise<void>;
}

async function serveApi(status: number, answer: unknown): Promise<FakeApi> {
  const bodies: unknown[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    request.on('end', () => {
      bodies.push(JSON.parse(text));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  const listening = Promise.withResolvers<number>();
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    listening.resolve(typeof address === 'object' && address !== null ? address.port : 0);
  });
  const port = await listening.promise;
  return {
    url: `http://127.0.0.1:${port}`,
    bodies,
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.closeAllConnections();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

const answer = {
  agent_id: 'edge',
  site_id: 'north',
  jwt: 'jwt',
  nats_urls: ['nats://127.0.0.1:4222'],
  control_xkey: 'X',
};

function enrolParams(api: string) {
  const token = new Secret('a-token-of-at-least-20-characters');
  return { api, agentId: 'edge', token, dir: join(dir, 'agent'), version: '1', force: false };
}

test('an enrolment sends public keys only and keeps the seeds in a file only the owner reads', async () => {
  const api = await serveApi(201, answer);
  const made = await enrolAgent(enrolParams(api.url));
  const path = join(dir, 'agent', 'credentials.json');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const read = await readCredentials(join(dir, 'agent'));
  expect(read.userSeed.reveal()).toBe(made.userSeed.reveal());
  expect(read).toMatchObject({ agentId: 'edge', siteId: 'north', controlXkey: 'X' });
  const sent = JSON.stringify(api.bodies);
  expect(sent).toMatch(/"public_key":"U[A-Z2-7]{55}","public_xkey":"X[A-Z2-7]{55}"/);
  expect(sent).not.toContain(read.userSeed.reveal());
  expect(sent).not.toContain(read.xkeySeed.reveal());
  const second = enrolAgent(enrolParams(api.url));
  await expect(second).rejects.toMatchObject({ code: 'AGENT_ENROLMENT_REFUSED' });
  const forced = await enrolAgent({ ...enrolParams(api.url), force: true });
  expect(forced.userSeed.reveal()).not.toBe(made.userSeed.reveal());
  await api.close();
});

test.each([
  ['a used token', 403, { title: 'token was used' }, 'AGENT_ENROLMENT_REFUSED'],
  ['an answer of another kind', 200, { hello: 1 }, 'AGENT_ENROLMENT_REFUSED'],
])('an enrolment with %s fails and leaves no credentials', async (_, status, body, code) => {
  const api = await serveApi(status, body);
  await expect(enrolAgent(enrolParams(api.url))).rejects.toMatchObject({ code });
  await expect(readCredentials(join(dir, 'agent'))).rejects.toMatchObject({ code: 'AGENT_NOT_ENROLLED' });
  await api.close();
});

test('an enrolment without an API, or with malformed parameters, is refused', async () => {
  const params = enrolParams('http://127.0.0.1:9');
  await expect(enrolAgent(params)).rejects.toMatchObject({ code: 'AGENT_ENROLMENT_REFUSED' });
  await expect(enrolAgent({ ...params, agentId: 'A B' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(enrolAgent({ ...params, api: 'nowhere' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
