import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger, silentLogger, systemClock } from '@ascend/runtime';
import { connectBus, type ConnectParams } from './connection.ts';
import { createUserKey } from './sealing.ts';
import { startNatsServer, waitFor, type TestNatsServer } from './testing/index.ts';
import { agentInboxPrefix, controlInboxPrefix, issueAgentJwt, issueControlPlaneJwt } from './userJwt.ts';

let server: TestNatsServer;

beforeAll(async () => {
  server = await startNatsServer();
});

afterAll(async () => {
  await server.dispose();
});

async function controlParams(some: Partial<ConnectParams>): Promise<ConnectParams> {
  const jwt = await issueControlPlaneJwt(server.trust, { ttlMs: 3_600_000, nowMs: Date.now() });
  return {
    servers: [server.url],
    jwt: () => jwt,
    seed: server.trust.controlSeed,
    inboxPrefix: controlInboxPrefix,
    name: 'test',
    logger: silentLogger,
    clock: systemClock,
    ...some,
  };
}

test('a WebSocket address works like any other', async () => {
  const connection = await connectBus(await controlParams({ servers: [server.webUrl] }));
  const heard: string[] = [];
  const subscription = connection.nats.subscribe('test.web', {
    callback: (_error, message) => {
      heard.push(message.string());
    },
  });
  connection.nats.publish('test.web', 'hello');
  await waitFor(() => heard.length > 0, 'the message');
  subscription.unsubscribe();
  await connection.close();
  expect(heard).toEqual(['hello']);
});

test('an old server is warned about, loudly', async () => {
  const lines: string[] = [];
  const logger = createLogger({ name: 'x', write: (line) => lines.push(line) });
  const connection = await connectBus(await controlParams({ logger }));
  const old = /^2\.(9|10\.(1?\d|2[0-6])$)/.test(connection.nats.info?.version ?? '');
  await connection.close();
  expect(lines.some((line) => line.includes('nats-server is old'))).toBe(old);
});

test('the first connection is waited for until it is there', async () => {
  await server.stop();
  const connecting = connectBus(await controlParams({}));
  await systemClock.sleep(1_200);
  await server.start();
  const connection = await connecting;
  expect(connection.disconnectedSince()).toBeNull();
  await connection.close();
  expect(connection.disconnectedSince()).not.toBeNull();
});

test('waiting for the first connection can be ended', async () => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await waitFor(() => silent.listening, 'the port');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const params = await controlParams({
    servers: [`nats://127.0.0.1:${port}`],
    signal: AbortSignal.timeout(300),
  });
  await expect(connectBus(params)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  silent.close();
});

test('lost contact is told with its time, and the way back is announced', async () => {
  const connection = await connectBus(await controlParams({}));
  let returns = 0;
  const end = connection.onReconnect(() => {
    returns += 1;
  });
  await server.kill();
  await waitFor(() => connection.disconnectedSince() !== null, 'the loss');
  expect(Math.abs(Date.now() - Number(connection.disconnectedSince()))).toBeLessThan(5_000);
  await server.start();
  await waitFor(() => returns === 1, 'the way back');
  expect(connection.disconnectedSince()).toBeNull();
  end();
  await connection.close();
  await connection.close();
});

test('when a jwt ends the connection comes back with the renewed one', async () => {
  const address = { siteId: 'north', agentId: 'alpha' };
  const key = createUserKey();
  const issue = async (ttlMs: number): Promise<string> =>
    await issueAgentJwt(server.trust, { address, publicKey: key.publicKey, ttlMs, nowMs: Date.now() });
  let jwt = await issue(3_000);
  const connection = await connectBus(
    await controlParams({ jwt: () => jwt, seed: key.seed, inboxPrefix: agentInboxPrefix(address) }),
  );
  let returns = 0;
  connection.onReconnect(() => {
    returns += 1;
  });
  jwt = await issue(3_600_000);
  await waitFor(() => returns > 0, 'the connection with the new jwt', 20_000);
  expect(connection.disconnectedSince()).toBeNull();
  await connection.close();
});
