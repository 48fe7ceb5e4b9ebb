import { afterAll, beforeAll, expect, test } from 'vitest';
import { AppError } from '@ascend/errors';
import { createAgentBus, type AgentBus, type RequestHandlers } from './agentSide.ts';
import type { BusConnection } from './connection.ts';
import { createControlBus, type AskHandlers, type ControlBus } from './control.ts';
import type { Running } from './pull.ts';
import { progressIntervalMs } from './progress.ts';
import { startNatsServer, waitFor, type TestNatsServer } from './testing/index.ts';

const address = { siteId: 'north', agentId: 'alpha' };
const away = { siteId: 'north', agentId: 'beta' };

let server: TestNatsServer;
let control: ControlBus;
let controlConnection: BusConnection;
let agentConnection: BusConnection;
let agent: AgentBus;

const unused = async (): Promise<never> => {
  await Promise.resolve();
  throw new AppError({ code: 'INPUT_INVALID', message: 'not asked in this test' });
};

function handlers(some: Partial<RequestHandlers>): RequestHandlers {
  return {
    analyze: unused,
    inventory: unused,
    scan: unused,
    'check-target': unused,
    'probe-images': unused,
    limit: unused,
    ...some,
  };
}

/** Serves and waits until the server knows about it. */
async function serve(some: Partial<RequestHandlers>): Promise<Running> {
  const serving = agent.serveRequests(handlers(some));
  await agentConnection.nats.flush();
  return serving;
}

beforeAll(async () => {
  server = await startNatsServer();
  controlConnection = await server.control();
  control = createControlBus(controlConnection);
  await control.ensureStreams();
  agentConnection = await server.agent(address);
  agent = createAgentBus(agentConnection, address);
});

afterAll(async () => {
  await server.dispose();
});

const scanBody = { rootPath: '/backups' };

test('an answer larger than a message arrives whole', async () => {
  const skipped = Array.from({ length: 60_000 }, (_, index) => ({
    relPath: `folder/${'x'.repeat(200)}/${index}.qcow2`,
    code: 'INPUT_INVALID',
    reason: 'not an image',
  }));
  const answer = { contexts: [], skipped };
  expect(JSON.stringify(answer).length).toBeGreaterThan(10 * 1024 * 1024);
  const serving = await serve({ scan: async () => await Promise.resolve(answer) });
  const got = await control.request(address, 'scan', scanBody, { deadlineMs: 30_000 });
  await serving.stop();
  expect(got).toEqual(answer);
});

test("the other side's coded error arrives as it was raised", async () => {
  const serving = await serve({
    scan: async () => {
      await Promise.resolve();
      throw new AppError({ code: 'INPUT_INVALID', message: 'scan /x: no', details: { sizeBytes: 3 } });
    },
  });
  await expect(control.request(address, 'scan', scanBody, { deadlineMs: 5_000 })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: 'scan /x: no',
    details: { sizeBytes: 3 },
  });
  const wrong = control.request(
    address,
    'probe-images',
    { rootPath: '/x', paths: [] },
    { deadlineMs: 5_000 },
  );
  await expect(wrong).rejects.toMatchObject({ code: 'BUS_MESSAGE_INVALID' });
  await serving.stop();
});

test('an agent that is not there is offline at once', async () => {
  const before = Date.now();
  await expect(control.request(away, 'scan', scanBody, { deadlineMs: 60_000 })).rejects.toMatchObject({
    code: 'BUS_AGENT_OFFLINE',
  });
  expect(Date.now() - before).toBeLessThan(3_000);
});

test('a slow answer is late at the deadline and the handler is told to stop', async () => {
  const told = Promise.withResolvers<void>();
  const serving = await serve({
    scan: async (_body, signal) => {
      signal.addEventListener('abort', () => told.resolve(), { once: true });
      await told.promise;
      return { contexts: [], skipped: [] };
    },
  });
  await expect(control.request(address, 'scan', scanBody, { deadlineMs: 700 })).rejects.toMatchObject({
    code: 'BUS_REPLY_LATE',
  });
  await told.promise;
  await serving.stop();
});

test('a request can be cancelled', async () => {
  const serving = await serve({
    scan: async (_body, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return { contexts: [], skipped: [] };
    },
  });
  const cancel = new AbortController();
  const asked = control.request(address, 'scan', scanBody, { deadlineMs: 60_000, signal: cancel.signal });
  cancel.abort();
  await expect(asked).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  await serving.stop();
});

test('a slow answer that shows signs of life is waited for, beyond the silence limit', async () => {
  const serving = await serve({
    inventory: async () => {
      await new Promise((resolve) => setTimeout(resolve, 14_000));
      return {
        targetId: 't',
        apiVersion: '1',
        storages: [],
        networks: [],
        vmNames: [],
        cpuCount: 1,
        memoryBytes: 1,
        acceleration: 'none',
        fetchedAt: '2026-11-20T00:00:00Z',
      };
    },
  });
  const target = { targetId: 't', platform: 'x', connection: {} };
  const facts = await control.request(address, 'inventory', { target }, { deadlineMs: 30_000 });
  expect(facts.targetId).toBe('t');
  await serving.stop();
});

test('an agent asks the control plane under its own proven address', async () => {
  const asked: string[] = [];
  const answers: AskHandlers = {
    hello: async (from, body) => {
      asked.push(`${from.siteId}/${from.agentId} ${body.openOps.join()}`);
      return await Promise.resolve({ ops: { 'op-1': 'stop' as const }, repositories: {} });
    },
    secret: async (_from, body) => await Promise.resolve({ sealed: body.name }),
    renew: unused,
  };
  const serving = control.answerAsks(answers);
  await controlConnection.nats.flush();
  const heartbeat = {
    v: 1 as const,
    version: '1',
    capabilities: {
      qemuVersion: null,
      qemuImgVersion: null,
      storageDaemonFuse: false,
      nbdKernel: false,
      kvmWorks: false,
      libguestfsVersion: null,
      fuse2fs: false,
      bubblewrap: false,
      runsAsRoot: false,
      cpuCount: 1,
      memoryBytes: 1,
      scratchFreeBytes: 1,
    },
    repositories: {},
    openOps: ['op-1'],
    rssBytes: 1,
    atMs: 1,
  };
  const hello = await agent.ask('hello', { heartbeat, openOps: ['op-1'] }, { deadlineMs: 5_000 });
  expect(hello.ops).toEqual({ 'op-1': 'stop' });
  expect(asked).toEqual(['north/alpha op-1']);
  await expect(agent.ask('renew', {}, { deadlineMs: 5_000 })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  });
  await serving.stop();
  await expect(agent.ask('renew', {}, { deadlineMs: 5_000 })).rejects.toMatchObject({
    code: 'BUS_CONTROL_PLANE_OFFLINE',
  });
  const heard: string[] = [];
  const listening = control.subscribeHeartbeats((beat, from) =>
    heard.push(`${from.agentId} ${beat.version}`),
  );
  await waitFor(() => {
    agent.publishHeartbeat(heartbeat);
    return heard.length > 0;
  }, 'a heartbeat');
  await listening.stop();
  expect(heard[0]).toBe('alpha 1');
});

test('a cancel message reaches the running agent', async () => {
  const heard: string[] = [];
  const listening = agent.onControl((message) => heard.push(message.opId));
  await waitFor(() => {
    control.cancel(address, 'op-9');
    return heard.length > 0;
  }, 'the cancel message');
  await listening.stop();
  expect(heard[0]).toBe('op-9');
});

test('progress is throttled, its last value gets out, and late viewers see the last value of every step', async () => {
  const live: number[] = [];
  const listening = control.subscribeProgress((progress) => live.push(progress.bytesDone));
  await agentConnection.nats.flush();
  const jobId = 'job-progress';
  const send = (stepKey: string, bytesDone: number): void =>
    agent.publishProgress({
      v: 1,
      jobId,
      opId: `op ${stepKey}`,
      stepKey,
      phase: 'copy',
      bytesDone,
      bytesTotal: 1_000,
      bytesSkipped: 0,
      atMs: bytesDone,
    });
  for (let bytes = 1; bytes <= 1_000; bytes += 1) send('transfer-disk:0', bytes);
  send('transfer-disk:1', 7);
  await waitFor(() => live.includes(1_000), 'the last value', progressIntervalMs * 4);
  expect(live.length).toBeLessThanOrEqual(4);
  send('transfer-disk:0', 1_001);
  agent.flushProgress('op transfer-disk:0');
  await waitFor(() => live.includes(1_001), 'the flushed value', progressIntervalMs);
  const last = await control.lastProgress(jobId);
  expect(new Map(last.map((progress) => [progress.stepKey, progress.bytesDone]))).toEqual(
    new Map([
      ['transfer-disk:0', 1_001],
      ['transfer-disk:1', 7],
    ]),
  );
  expect(await control.lastProgress('job-unknown')).toEqual([]);
  await listening.stop();
});
