import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControlBus, type BusConnection, type ControlBus } from '@ascend/bus';
import { startNatsServer, type TestNatsServer } from '@ascend/bus/testing';
import { problemSchema } from '@ascend/protocol';
import { silentLogger, systemClock, type Clock, type Logger } from '@ascend/runtime';
import { createApiToken, createDatabase, type Database } from '@ascend/store';
import { openTestDatabase, type TestDatabase } from '@ascend/store/testing';
import { startControlPlane, type ControlPlane } from '../controlPlane.ts';
import type { Role } from '../http/roles.ts';
import type { ReaperTimes } from '../jobs/reaper.ts';
import { loadKeyFile } from '../secrets/keyFile.ts';

/** An answer with its JSON, or null when there was none. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

/** One replica of the control plane, in this process. */
export interface TestReplica {
  readonly plane: ControlPlane;
  readonly connection: BusConnection;
  /** Calls the API as an administrator unless another role is named. */
  call(method: string, path: string, body?: unknown, role?: Role): Promise<Answer>;
  stop(): Promise<void>;
}

/** A database server, a NATS server and as many replicas as are asked for. */
export interface TestPlane {
  readonly db: Database;
  readonly nats: TestNatsServer;
  readonly tokens: Readonly<Record<Role, string>>;
  /** Another, empty database on the same server. */
  newDatabase(): Promise<string>;
  replica(options?: ReplicaOptions): Promise<TestReplica>;
  close(): Promise<void>;
}

/** What differs from a plain replica. */
interface ReplicaOptions {
  readonly times?: Partial<ReaperTimes>;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly environment?: Readonly<Record<string, string>>;
  /** Puts something in the way of the bus. */
  readonly hinder?: (bus: ControlBus) => ControlBus;
}

async function makeTokens(db: Database): Promise<Record<Role, string>> {
  const make = async (role: Role): Promise<string> => {
    const made = await createApiToken(db, {
      userName: `the ${role}`,
      role,
      tokenName: 'test',
      nowMs: systemClock.now(),
    });
    return made.token;
  };
  return { viewer: await make('viewer'), operator: await make('operator'), admin: await make('admin') };
}

function caller(plane: ControlPlane, tokens: Readonly<Record<Role, string>>): TestReplica['call'] {
  return async (method, path, body, role = 'admin') => {
    const response = await plane.api.request(`/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${tokens[role]}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      json: text === '' ? null : JSON.parse(text),
    };
  };
}

interface Servers {
  readonly database: TestDatabase;
  readonly nats: TestNatsServer;
  readonly folder: string;
}

async function startReplica(
  servers: Servers,
  tokens: Readonly<Record<Role, string>>,
  options: ReplicaOptions,
): Promise<TestReplica> {
  const { database, nats, folder } = servers;
  const loopDb = createDatabase({ url: database.url, connectionLimit: 4 });
  const connection = await nats.control(options.logger ?? silentLogger);
  const plane = await startControlPlane({
    db: database.database,
    loopDb,
    connection,
    bus: (options.hinder ?? ((bus) => bus))(createControlBus(connection)),
    trust: nats.trust,
    trustDir: nats.trustDir,
    publicNatsUrls: [nats.url],
    key: loadKeyFile(join(folder, 'key')),
    environment: options.environment ?? {},
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    times: { tickMs: 100, lookEveryMs: 200, ...options.times },
  });
  const stopped = { done: false };
  return {
    plane,
    connection,
    call: caller(plane, tokens),
    stop: async () => {
      if (stopped.done) return;
      stopped.done = true;
      await plane.stop();
      await connection.close();
      await loopDb.close();
    },
  };
}

/** Starts private servers: about two seconds. */
export async function startTestPlane(): Promise<TestPlane> {
  const [database, nats] = await Promise.all([openTestDatabase(), startNatsServer()]);
  const folder = await mkdtemp(join(tmpdir(), 'ascend-plane-'));
  const tokens = await makeTokens(database.database);
  const replicas: TestReplica[] = [];
  return {
    db: database.database,
    nats,
    tokens,
    newDatabase: () => database.server.createDatabase(),
    replica: async (options = {}) => {
      const replica = await startReplica({ database, nats, folder }, tokens, options);
      replicas.push(replica);
      return replica;
    },
    close: async () => {
      await Promise.all(replicas.map((replica) => replica.stop()));
      await nats.dispose();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The code of a problem document, which must be one. */
export function codeOf(answer: Answer): string {
  const problem = problemSchema.parse(answer.json);
  return problem.status === answer.status ? problem.code : `status ${answer.status} is not ${problem.status}`;
}
