import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@ascend/errors';
import { silentLogger, startProcess, systemClock, type Logger, type RunningProcess } from '@ascend/runtime';
import type { AgentAddress } from '@ascend/protocol';
import { connectBus, type BusConnection } from '../connection.ts';
import { createUserKey, type OwnKey } from '../sealing.ts';
import { natsServerConfig } from '../serverConfig.ts';
import { createTrust, type Trust } from '../trust.ts';
import { agentInboxPrefix, controlInboxPrefix, issueAgentJwt, issueControlPlaneJwt } from '../userJwt.ts';

/** A private nats-server with trust, JetStream and a port that stays the same over restarts. */
export interface TestNatsServer {
  readonly url: string;
  /** The same server for WebSocket clients. */
  readonly webUrl: string;
  readonly trust: Trust;
  readonly trustDir: string;
  readonly storeDir: string;
  /** SIGTERM and wait. */
  stop(): Promise<void>;
  /** SIGKILL and wait: nothing is flushed. */
  kill(): Promise<void>;
  /** Starts it again on the same store; `loseStore` empties it before. */
  start(options?: { readonly loseStore?: boolean }): Promise<void>;
  /** Has the running server take up changed trust (a revocation). */
  reload(changed: Trust): Promise<void>;
  /** A connection with all rights of the control plane. */
  control(logger?: Logger): Promise<BusConnection>;
  /** A connection with the rights of one agent and a new key, unless one is given. */
  agent(address: AgentAddress, logger?: Logger, key?: OwnKey): Promise<BusConnection>;
  /** Ends connections and server, removes the folder. */
  dispose(): Promise<void>;
}

async function freePort(): Promise<number> {
  const listening = Promise.withResolvers<number>();
  const server = createServer();
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    listening.resolve(typeof address === 'object' && address !== null ? address.port : 0);
  });
  const port = await listening.promise;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return port;
}

async function answers(port: number): Promise<boolean> {
  const result = Promise.withResolvers<boolean>();
  const socket = connectSocket(port, '127.0.0.1');
  socket.once('data', () => result.resolve(true));
  socket.once('error', () => result.resolve(false));
  const up = await result.promise;
  socket.destroy();
  return up;
}

async function waitUntilUp(port: number, server: RunningProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const ended = await Promise.race([server.ended, systemClock.sleep(50)]);
    if (ended !== undefined) {
      throw new AppError({ code: 'PROCESS_FAILED', message: `start nats-server: ${ended.stderr}` });
    }
    if (await answers(port)) return;
  }
  throw new AppError({ code: 'PROCESS_STALLED', message: `start nats-server: port ${port} silent for 10 s` });
}

/** Starts a nats-server on a free port of 127.0.0.1 in a folder of its own. */
export async function startNatsServer(): Promise<TestNatsServer> {
  const dir = await mkdtemp(join(tmpdir(), 'ascend-nats-'));
  const trustDir = join(dir, 'trust');
  const storeDir = join(dir, 'store');
  const trust = await createTrust(trustDir);
  const port = await freePort();
  const webPort = await freePort();
  const configPath = join(dir, 'nats.conf');
  const writeConfig = async (used: Trust): Promise<void> => {
    const listen = { host: '127.0.0.1', port };
    const websocket = { host: '127.0.0.1', port: webPort };
    await writeFile(configPath, natsServerConfig(used, { listen, websocket, storeDir }));
  };
  await writeConfig(trust);
  const url = `nats://127.0.0.1:${port}`;
  const connections: BusConnection[] = [];
  let server: RunningProcess | null = null;

  const start = async (options?: { readonly loseStore?: boolean }): Promise<void> => {
    if (options?.loseStore === true) await rm(storeDir, { recursive: true, force: true });
    server = startProcess({ program: 'nats-server', args: ['-c', configPath], dieWithParent: true });
    await waitUntilUp(port, server);
  };
  const end = async (graceMs: number): Promise<void> => {
    const running = server;
    server = null;
    await running?.stop(graceMs);
  };
  const kill = async (): Promise<void> => {
    const running = server;
    server = null;
    if (running === null) return;
    process.kill(running.pid, 'SIGKILL');
    await running.ended;
  };
  const attach = async (
    params: Pick<Parameters<typeof connectBus>[0], 'jwt' | 'seed' | 'inboxPrefix' | 'name'>,
    logger: Logger,
  ): Promise<BusConnection> => {
    const connection = await connectBus({ servers: [url], logger, clock: systemClock, ...params });
    connections.push(connection);
    return connection;
  };

  await start();
  return {
    url,
    webUrl: `ws://127.0.0.1:${webPort}`,
    trust,
    trustDir,
    storeDir,
    stop: async () => await end(5_000),
    kill,
    start,
    reload: async (changed) => {
      await writeConfig(changed);
      if (server !== null) process.kill(server.pid, 'SIGHUP');
    },
    control: async (logger = silentLogger) => {
      const jwt = await issueControlPlaneJwt(trust, { ttlMs: 3_600_000, nowMs: Date.now() });
      const seed = trust.controlSeed;
      return await attach({ jwt: () => jwt, seed, inboxPrefix: controlInboxPrefix, name: 'control' }, logger);
    },
    agent: async (address, logger = silentLogger, key = createUserKey()) => {
      const ttlMs = 3_600_000;
      const jwt = await issueAgentJwt(trust, { address, publicKey: key.publicKey, ttlMs, nowMs: Date.now() });
      const inboxPrefix = agentInboxPrefix(address);
      return await attach({ jwt: () => jwt, seed: key.seed, inboxPrefix, name: address.agentId }, logger);
    },
    dispose: async () => {
      await Promise.all(connections.map(async (connection) => await connection.nats.close()));
      await end(2_000);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
