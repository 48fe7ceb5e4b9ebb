import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createControlBus,
  createSealingKey,
  createUserKey,
  issueAgentJwt,
  sealTo,
  type AskHandlers,
  type ControlBus,
} from '@ascend/bus';
import { sampleCommand, startNatsServer, waitFor, type TestNatsServer } from '@ascend/bus/testing';
import type { BandwidthOrders, ControlReplies, StepCommand, StepEvent } from '@ascend/protocol';
import { silentLogger, startProcess, systemClock, type RunningProcess } from '@ascend/runtime';
import { startAgent, type Agent } from '../agent.ts';
import { readConfig } from '../config.ts';
import { readCredentials, writeCredentials } from '../credentials.ts';
import type { Toolbox } from '../toolbox.ts';
import { createFakeToolbox, type Script } from './fakeToolbox.ts';

/** The one agent of a test. */
export const address = { siteId: 'north', agentId: 'alpha' };

/** A real nats-server, a scripted control plane, and the folder of one enrolled agent. */
export interface Bench {
  readonly server: TestNatsServer;
  readonly control: ControlBus;
  readonly dir: string;
  /** Events in the order the control plane stored them. */
  readonly events: StepEvent[];
  readonly hellos: (readonly string[])[];
  /** What `hello` answers per op id; `continue` otherwise. */
  readonly verdicts: Map<string, ControlReplies['hello']['ops'][string]>;
  /** The caps that `hello` answers; none at first. */
  readonly bandwidth: { current: BandwidthOrders };
  command(script: Partial<Script>, fields?: Partial<StepCommand>): Promise<StepCommand>;
  startHere(toolbox?: Partial<Toolbox>): Promise<Agent>;
  /** `fake` has the scripted step, `real` is what users start. */
  startProcess(which?: 'fake' | 'real'): RunningProcess;
  /** Lines the scripted step wrote. */
  lines(): Promise<readonly string[]>;
  until(condition: () => boolean, what: string, timeoutMs?: number): Promise<void>;
  result(opId: string): StepEvent | undefined;
  dispose(): Promise<void>;
}

const terminal: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled', 'undone', 'undo-failed']);

/** Sets everything up; the control plane consumes events and answers questions from the start. */
export async function createBench(): Promise<Bench> {
  const server = await startNatsServer();
  const dir = await mkdtemp(join(tmpdir(), 'ascend-agent-'));
  const control = createControlBus(await server.control());
  await control.ensureStreams();
  await control.ensureConsumer(address, { ackWaitMs: 4_000 });
  const sealing = createSealingKey();
  const user = createUserKey();
  const jwt = await issueAgentJwt(server.trust, {
    address,
    publicKey: user.publicKey,
    ttlMs: 3_600_000,
    nowMs: Date.now(),
  });
  await writeCredentials(dir, {
    ...address,
    natsUrls: [server.url],
    controlXkey: server.trust.controlXkey,
    jwt,
    userSeed: user.seed,
    xkeySeed: sealing.seed,
  });
  const events: StepEvent[] = [];
  const hellos: (readonly string[])[] = [];
  const verdicts: Bench['verdicts'] = new Map();
  const bandwidth: Bench['bandwidth'] = { current: { agent: null, jobs: {} } };
  const seen = new Set<string>();
  control.consumeEvents(async (event) => {
    if (!seen.has(event.eventId)) events.push(event);
    seen.add(event.eventId);
    await Promise.resolve();
  });
  const answers: AskHandlers = {
    hello: async (_from, body) => {
      hellos.push(body.openOps);
      const ops = Object.fromEntries(body.openOps.map((opId) => [opId, verdicts.get(opId) ?? 'continue']));
      return await Promise.resolve({ ops, repositories: {}, bandwidth: bandwidth.current });
    },
    secret: async (_from, body) => {
      const plain = Buffer.from(`secret of ${body.targetId}/${body.name}`);
      const sealed = sealTo({
        senderSeed: server.trust.controlXkeySeed,
        recipient: sealing.publicKey,
        plain,
      });
      return await Promise.resolve({ sealed });
    },
    renew: async () => await Promise.resolve({ jwt }),
  };
  control.answerAsks(answers);
  const environment = {
    ASCEND_AGENT_DIR: dir,
    ASCEND_AGENT_REPOSITORIES: `vault=${dir}/vault`,
    ASCEND_AGENT_BANDWIDTH: '64M',
    ASCEND_AGENT_PACKAGES: dir,
  };
  const started: Agent[] = [];
  const processes: RunningProcess[] = [];
  const stepFile = join(dir, 'steps.txt');

  return {
    server,
    control,
    dir,
    events,
    hellos,
    verdicts,
    bandwidth,
    command: async (script, fields = {}) => {
      const command = sampleCommand({
        stepKey: 'transfer-disk:0',
        kind: 'transfer-disk',
        outputs: { script: { ticks: 3, tickMs: 20, file: stepFile, ...script } },
        ...fields,
      });
      await control.publishCommand(address, command, { signal: AbortSignal.timeout(30_000) });
      return command;
    },
    startHere: async (toolbox = {}) => {
      const agent = await startAgent({
        config: readConfig(environment),
        credentials: await readCredentials(dir),
        toolbox: createFakeToolbox(toolbox),
        version: 'test',
        clock: systemClock,
        logger: silentLogger,
        signal: new AbortController().signal,
      });
      started.push(agent);
      return agent;
    },
    startProcess: (which = 'fake') => {
      const mains = {
        fake: new URL('./fakeAgentMain.ts', import.meta.url),
        real: new URL('../main.ts', import.meta.url),
      };
      const args = ['--disable-warning=ExperimentalWarning', mains[which].pathname];
      const child = startProcess({
        program: process.execPath,
        args,
        // A test run that measures coverage must not measure its children too: they would keep it all in memory.
        env: { ...environment, ASCEND_AGENT_LOG_LEVEL: 'warn', NODE_V8_COVERAGE: '' },
        dieWithParent: true,
      });
      processes.push(child);
      return child;
    },
    lines: async () => {
      const text = await readFile(stepFile, 'utf8').catch(() => '');
      return text.split('\n').filter((line) => line !== '');
    },
    until: waitFor,
    result: (opId) => events.find((event) => event.opId === opId && terminal.has(event.type)),
    dispose: async () => {
      await Promise.all(started.map(async (agent) => await agent.stop()));
      await Promise.all(processes.map(async (child) => await child.stop(5_000)));
      await server.dispose();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
