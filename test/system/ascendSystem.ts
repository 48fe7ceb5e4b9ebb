import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createTrust, natsServerConfig } from '@ascend/bus';
import { agentListSchema, enrollmentTokenSchema } from '@ascend/protocol';
import { runProcess, startProcess, type ProcessResult, type RunningProcess } from '@ascend/runtime';
import { startMariadb, type Mariadb } from '@ascend/store/testing';

/** The root of the checkout. */
export const root = new URL('../..', import.meta.url).pathname;

/** The whole product as real processes on this machine: MariaDB, nats-server, control plane, agents, CLI. */
export interface AscendSystem {
  readonly dir: string;
  readonly url: string;
  /** Folder that the agent `edge` knows as repository `vault`. */
  readonly repository: string;
  readonly targetState: string;
  /** Runs the CLI; rejects on a non-zero exit unless `okExitCodes` allows it. */
  cli(args: readonly string[], okExitCodes?: readonly number[]): Promise<ProcessResult>;
  /** Runs the CLI with --json and returns the parsed result. */
  json(args: readonly string[]): Promise<unknown>;
  startAgent(): Promise<void>;
  /** Process id of the agent that runs now. */
  agentPid(): number;
  /** kill -9 of the agent process. */
  killAgent(): Promise<void>;
  startControlPlane(): Promise<void>;
  /** kill -9 of the control plane. */
  killControlPlane(): Promise<void>;
  /** kill -9 of nats-server; `loseStore` also deletes everything it had stored. */
  killNats(loseStore?: boolean): Promise<void>;
  startNats(): Promise<void>;
  /** Log of one of the processes, for failure messages. */
  log(name: 'agent' | 'control-plane' | 'nats'): Promise<string>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until `probe` answers true. @throws Error with `what` after `seconds` */
export async function until(what: string, seconds: number, probe: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    if (await probe().catch(() => false)) return;
    await delay(200);
  }
  throw new Error(`waited ${seconds} s in vain until ${what}`);
}

async function kill9(running: RunningProcess | undefined): Promise<void> {
  if (running === undefined) return;
  try {
    process.kill(running.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
  await running.ended;
}

interface State {
  agent?: RunningProcess;
  controlPlane?: RunningProcess;
  nats?: RunningProcess;
  mariadb?: Mariadb;
  readonly logs: Map<string, string[]>;
}

interface Parts {
  readonly dir: string;
  readonly url: string;
  readonly natsPort: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly state: State;
}

const nodeFlags = ['--disable-warning=ExperimentalWarning'];

function keepLog(state: State, name: string): (line: string) => void {
  const lines = state.logs.get(name) ?? [];
  state.logs.set(name, lines);
  return (line) => {
    lines.push(line);
    if (lines.length > 500) lines.shift();
  };
}

function node(
  parts: Parts,
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): RunningProcess {
  const keep = keepLog(parts.state, name);
  return startProcess({
    program: process.execPath,
    args: [...nodeFlags, ...args],
    cwd: root,
    env: { ...parts.environment, ...env, NODE_V8_COVERAGE: '' },
    dieWithParent: true,
    onStdoutLine: keep,
    onStderrLine: keep,
  });
}

async function startNats(parts: Parts): Promise<void> {
  const keep = keepLog(parts.state, 'nats');
  parts.state.nats = startProcess({
    program: 'nats-server',
    args: ['-c', join(parts.dir, 'nats.conf')],
    dieWithParent: true,
    onStderrLine: keep,
  });
  await until('nats-server listens', 20, async () => {
    const text = parts.state.logs.get('nats')?.join('\n') ?? '';
    return text.includes('Server is ready');
  });
}

async function startControlPlane(parts: Parts): Promise<void> {
  parts.state.controlPlane = node(parts, 'control-plane', ['apps/control-plane/src/main.ts'], {});
  await until('the control plane is ready', 60, async () => (await fetch(`${parts.url}/api/v1/ready`)).ok);
}

async function prepare(dir: string): Promise<Parts> {
  const [apiPort, natsPort] = [await freePort(), await freePort()];
  for (const name of ['agent', 'vms', 'disks', 'repository'])
    await mkdir(join(dir, name), { recursive: true });
  const trust = await createTrust(join(dir, 'trust'));
  const config = natsServerConfig(trust, {
    listen: { host: '127.0.0.1', port: natsPort },
    storeDir: join(dir, 'nats-store'),
  });
  await writeFile(join(dir, 'nats.conf'), config);
  const mariadb = await startMariadb();
  await writeFile(join(dir, 'database'), await mariadb.createDatabase(), { mode: 0o600 });
  return {
    dir,
    url: `http://127.0.0.1:${apiPort}`,
    natsPort,
    state: { mariadb, logs: new Map() },
    environment: {
      ASCEND_API_LISTEN: `127.0.0.1:${apiPort}`,
      ASCEND_API_DATABASE: `file:${join(dir, 'database')}`,
      ASCEND_API_NATS_URLS: `nats://127.0.0.1:${natsPort}`,
      ASCEND_API_TRUST_DIR: join(dir, 'trust'),
      ASCEND_API_KEY_FILE: join(dir, 'key'),
      ASCEND_AGENT_DIR: join(dir, 'agent'),
      ASCEND_AGENT_REPOSITORIES: `vault=${join(dir, 'repository')}`,
    },
  };
}

function cliOf(parts: Parts) {
  return (args: readonly string[], okExitCodes: readonly number[] = [0]): Promise<ProcessResult> =>
    runProcess({
      program: join(root, 'apps/cli/bin/ascend'),
      args: ['--url', parts.url, '--token-file', join(parts.dir, 'token'), ...args],
      okExitCodes,
    });
}

async function enrol(parts: Parts, cli: ReturnType<typeof cliOf>): Promise<void> {
  await runProcess({
    program: process.execPath,
    args: [
      ...nodeFlags,
      'apps/control-plane/src/main.ts',
      'token',
      'create',
      '--name',
      'test',
      '--role',
      'admin',
      '--out',
      join(parts.dir, 'token'),
    ],
    cwd: root,
    env: parts.environment,
  });
  await cli(['site', 'add', 'here']);
  const answer = enrollmentTokenSchema.parse(
    JSON.parse((await cli(['--json', 'agent', 'enroll', 'here'])).stdout),
  );
  const tokenFile = join(parts.dir, 'enrolment-token');
  await writeFile(tokenFile, answer.token, { mode: 0o600 });
  await runProcess({
    program: process.execPath,
    args: [
      ...nodeFlags,
      'apps/agent/src/main.ts',
      'enrol',
      '--api',
      parts.url,
      '--agent-id',
      'edge',
      '--token-file',
      tokenFile,
      '--dir',
      join(parts.dir, 'agent'),
    ],
    cwd: root,
  });
}

async function startAgent(parts: Parts, cli: ReturnType<typeof cliOf>): Promise<void> {
  const startedAt = Date.now();
  parts.state.agent = node(parts, 'agent', ['apps/agent/src/main.ts'], {});
  await until('the agent is online', 60, async () => {
    const list = agentListSchema.parse(JSON.parse((await cli(['--json', 'agent', 'list'])).stdout));
    // An agent that was killed a moment ago still counts as online: only a sign of life since the start is proof.
    return list.agents.some((agent) => agent.online && Date.parse(agent.last_seen_at ?? '') >= startedAt);
  });
}

async function stopAll(parts: Parts): Promise<void> {
  const { state } = parts;
  await runProcess({
    program: process.execPath,
    args: ['deploy/localVms.ts', 'stop', join(parts.dir, 'vms')],
    cwd: root,
  }).catch(() => undefined);
  await state.agent?.stop();
  await state.controlPlane?.stop();
  await state.nats?.stop();
  await state.mariadb?.stop();
  await rm(parts.dir, { recursive: true, force: true });
}

/** Starts everything in a new temporary folder, with one agent `edge` at site `here`, repository `vault` and target `local`. */
export async function startAscend(): Promise<AscendSystem> {
  const dir = await mkdtemp(join(tmpdir(), 'ascend-system-'));
  const parts = await prepare(dir);
  const { state } = parts;
  const cli = cliOf(parts);
  try {
    await startNats(parts);
    await startControlPlane(parts);
    await enrol(parts, cli);
    await startAgent(parts, cli);
    await cli(['repository', 'add', 'vault', '--site', 'here', '--root', `edge=${join(dir, 'repository')}`]);
    const connection = JSON.stringify({
      storages: { disks: join(dir, 'disks') },
      state_dir: join(dir, 'vms'),
    });
    await cli(['target', 'add', 'local', '--platform', 'kvm', '--agent', 'edge', '--connection', connection]);
  } catch (error) {
    const tail = [...state.logs]
      .map(([name, lines]) => `--- ${name}\n${lines.slice(-15).join('\n')}`)
      .join('\n');
    await stopAll(parts);
    throw new Error(`start the system: ${error instanceof Error ? error.message : String(error)}\n${tail}`, {
      cause: error,
    });
  }
  return {
    dir,
    url: parts.url,
    repository: join(dir, 'repository'),
    targetState: join(dir, 'vms'),
    cli,
    json: async (args) => JSON.parse((await cli(['--json', ...args])).stdout) as unknown,
    startAgent: () => startAgent(parts, cli),
    agentPid: () => state.agent?.pid ?? 0,
    killAgent: () => kill9(state.agent),
    startControlPlane: () => startControlPlane(parts),
    killControlPlane: () => kill9(state.controlPlane),
    killNats: async (loseStore) => {
      await kill9(state.nats);
      state.logs.delete('nats');
      if (loseStore === true) await rm(join(dir, 'nats-store'), { recursive: true, force: true });
    },
    startNats: () => startNats(parts),
    log: async (name) =>
      (state.logs.get(name) ?? []).join('\n') ||
      (await readFile(join(dir, `${name}.log`), 'utf8').catch(() => '')),
    stop: () => stopAll(parts),
  };
}
