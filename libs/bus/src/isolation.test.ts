import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger, silentLogger } from '@ascend/runtime';
import { commandFilter, consumerName, streams, subjectPrefix } from '@ascend/protocol';
import { createAgentBus } from './agentSide.ts';
import type { BusConnection } from './connection.ts';
import { createControlBus, type ControlBus } from './control.ts';
import { sampleCommand, startNatsServer, waitFor, type TestNatsServer } from './testing/index.ts';
import { agentInboxPrefix } from './userJwt.ts';
import { revokeUser } from './trust.ts';
import { createUserKey } from './sealing.ts';

const a = { siteId: 'north', agentId: 'alpha' };
const b = { siteId: 'north', agentId: 'beta' };
const signal = new AbortController().signal;

let server: TestNatsServer;
let controlConnection: BusConnection;
let control: ControlBus;
let agent: BusConnection;
const lines: string[] = [];

beforeAll(async () => {
  server = await startNatsServer();
  controlConnection = await server.control();
  control = createControlBus(controlConnection);
  await control.ensureStreams();
  await control.ensureConsumer(a);
  await control.ensureConsumer(b);
  agent = await server.agent(a, createLogger({ name: 'a', write: (line) => lines.push(line) }));
});

afterAll(async () => {
  await server.dispose();
});

async function storedMessages(stream: string): Promise<number> {
  const manager = await jetstreamManager(controlConnection.nats);
  return (await manager.streams.info(stream)).state.messages;
}

test('an agent pulls and acknowledges its own commands and its events arrive', async () => {
  await control.publishCommand(a, sampleCommand({ opId: 'own' }), { signal });
  const bus = createAgentBus(agent, a);
  const seen: string[] = [];
  const pulling = bus.pullCommands({
    slots: 1,
    handler: {
      run: async (command) => {
        seen.push(command.opId);
        await Promise.resolve();
      },
      refuse: async () => await Promise.resolve(),
    },
  });
  await waitFor(() => seen.length === 1, 'the command');
  await pulling.stop();
  expect(seen).toEqual(['own']);
});

/** Runs an operation that the server must refuse; true when it failed or was silently dropped. */
async function isRefused(operation: () => Promise<unknown>): Promise<boolean> {
  const before = lines.filter((line) => line.includes('refused')).length;
  const failed = await operation().then(
    () => false,
    () => true,
  );
  await agent.nats.flush();
  if (failed) return true;
  const logged = (): boolean => lines.filter((line) => line.includes('refused')).length > before;
  return await waitFor(logged, 'the refusal in the log', 2_000).then(
    () => true,
    () => false,
  );
}

const forbidden: readonly (readonly [string, () => Promise<unknown>])[] = [
  [
    "read B's consumer",
    async () => await jetstream(agent.nats).consumers.get(streams.commands, consumerName(b)),
  ],
  [
    "pull B's commands",
    async () =>
      await agent.nats.request(`$JS.API.CONSUMER.MSG.NEXT.${streams.commands}.${consumerName(b)}`, '1', {
        timeout: 500,
      }),
  ],
  [
    "read a message of B's from the stream",
    async () =>
      await agent.nats.request(`$JS.API.STREAM.MSG.GET.${streams.commands}`, '{"seq":1}', { timeout: 500 }),
  ],
  [
    'read the stream directly',
    async () =>
      await agent.nats.request(`$JS.API.DIRECT.GET.${streams.commands}`, '{"seq":1}', { timeout: 500 }),
  ],
  [
    "make a consumer on B's commands",
    async () => {
      const manager = await jetstreamManager(agent.nats, { checkAPI: false, timeout: 500 });
      await manager.consumers.add(streams.commands, {
        durable_name: 'spy',
        filter_subject: commandFilter(b),
      });
    },
  ],
  [
    "delete B's consumer",
    async () =>
      await agent.nats.request(`$JS.API.CONSUMER.DELETE.${streams.commands}.${consumerName(b)}`, '', {
        timeout: 500,
      }),
  ],
];

test.each(forbidden)('agent A cannot %s', async (_, operation) => {
  expect(await isRefused(operation)).toBe(true);
});

test.each([
  ["B's commands", `${subjectPrefix}.cmd.north.beta.>`],
  ["B's requests", `${subjectPrefix}.rpc.north.beta.*`],
  ["B's control messages", `${subjectPrefix}.ctl.north.beta`],
  ["B's inbox", `${agentInboxPrefix(b)}.>`],
  ["the control plane's inbox", '_INBOX_control.>'],
  ['everything', '>'],
])('agent A cannot listen to %s', async (_, subject) => {
  const refused = await isRefused(async () => {
    const subscription = agent.nats.subscribe(subject);
    await agent.nats.flush();
    for await (const message of subscription) throw new Error(`got ${message.subject}`);
  });
  expect(refused).toBe(true);
});

test.each([
  ['events', `${subjectPrefix}.evt.north.beta.job-1`],
  ['progress', `${subjectPrefix}.prog.north.beta.job-1.step`],
  ['heartbeats', `${subjectPrefix}.hb.north.beta`],
  ['questions', `${subjectPrefix}.ask.north.beta.hello`],
  ['commands', `${subjectPrefix}.cmd.north.beta.transfer-disk`],
  ['control messages', `${subjectPrefix}.ctl.north.beta`],
  ['requests', `${subjectPrefix}.rpc.north.beta.analyze`],
  ['acknowledgements', `$JS.ACK.${streams.commands}.${consumerName(b)}.1.1.1.1.0`],
  ['replies to the control plane', '_INBOX_control.ABC'],
])("agent A cannot forge B's %s", async (_, subject) => {
  const before = [await storedMessages(streams.commands), await storedMessages(streams.events)];
  const heard: string[] = [];
  const spy = controlConnection.nats.subscribe('ascend.v1.>', {
    callback: (_error, message) => {
      heard.push(message.subject);
    },
  });
  const refused = await isRefused(async () => {
    agent.nats.publish(subject, '{}');
    await Promise.resolve();
  });
  await controlConnection.nats.flush();
  spy.unsubscribe();
  expect(refused).toBe(true);
  expect(heard).toEqual([]);
  expect([await storedMessages(streams.commands), await storedMessages(streams.events)]).toEqual(before);
});

test('ids that look alike give different consumers and inboxes', () => {
  const left = { siteId: 'a__b', agentId: 'c' };
  const right = { siteId: 'a', agentId: 'b__c' };
  expect(consumerName(left)).not.toBe(consumerName(right));
  expect(agentInboxPrefix(left)).not.toBe(agentInboxPrefix(right));
});

test('a seed that was not signed by the account does not get in', async () => {
  const other = await startNatsServer();
  try {
    const jwt = other.trust.account.jwt;
    const { connectBus } = await import('./connection.ts');
    const { systemClock } = await import('@ascend/runtime');
    await expect(
      connectBus({
        servers: [server.url],
        jwt: () => jwt,
        seed: other.trust.controlSeed,
        inboxPrefix: '_INBOX_x',
        name: 'stranger',
        logger: silentLogger,
        clock: systemClock,
        signal: AbortSignal.timeout(3_000),
      }),
    ).rejects.toMatchObject({ name: 'AppError' });
  } finally {
    await other.dispose();
  }
});

test('a revoked agent is thrown out and does not get in again, others stay', async () => {
  const key = createUserKey();
  const victim = await server.agent(b, silentLogger, key);
  await server.reload(await revokeUser(server.trustDir, key.publicKey, Date.now() + 1_000));
  await waitFor(() => victim.disconnectedSince() !== null, 'the end of the connection');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(victim.disconnectedSince()).not.toBeNull();
  expect(agent.disconnectedSince()).toBeNull();
});
