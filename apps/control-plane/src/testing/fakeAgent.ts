import { createAgentBus, type AgentBus, type BusConnection } from '@ascend/bus';
import type { RestorePointFacts, ScannedRepository, TargetFacts } from '@ascend/domain';
import { AppError, serializeError, toAppError } from '@ascend/errors';
import {
  errorSchema,
  eventSubject,
  stepEventSchema,
  type AgentAddress,
  type AgentRequest,
  type ControlReplies,
  type Heartbeat,
  type StepCommand,
  type StepEvent,
} from '@ascend/protocol';
import { newId, type Clock } from '@ascend/runtime';
import { ableHost } from './views.ts';

type EventBody = StepEvent extends infer E
  ? E extends StepEvent
    ? Omit<E, 'v' | 'eventId' | 'opId' | 'jobId' | 'stepKey' | 'epoch' | 'atMs'>
    : never
  : never;

/** What a scripted step does; throwing an AppError fails it, returning gives its output. */
export type StepScript = (step: {
  readonly command: StepCommand;
  readonly signal: AbortSignal;
  readonly send: (body: EventBody) => Promise<void>;
  readonly progress: (done: number, total: number) => void;
}) => Promise<unknown>;

/** What the fake agent is and knows. */
export interface FakeAgentParams {
  readonly connection: BusConnection;
  readonly address: AgentAddress;
  readonly clock: Clock;
  readonly repositories: Readonly<Record<string, string>>;
  /** By step key, step kind or `undo`; what is not named succeeds at once. */
  readonly script?: Readonly<Record<string, StepScript>>;
  readonly facts?: RestorePointFacts;
  readonly targetFacts?: TargetFacts;
  readonly scanned?: ScannedRepository;
  /** Time between heartbeats; default 300 ms, 0 = none. */
  readonly beatEveryMs?: number;
  /** Send every event twice, as a bus may. */
  readonly duplicateEvents?: boolean;
}

/** An agent without hands: it speaks the whole protocol and touches nothing. */
export interface FakeAgent {
  readonly bus: AgentBus;
  /** Commands in order of arrival, as `<mode> <step key>#<attempt>`. */
  readonly commands: readonly string[];
  /** Bandwidth caps that came with a command, by its step key, and orders to change one. */
  readonly caps: { readonly [stepKey: string]: StepCommand['bandwidth'] };
  readonly limits: readonly AgentRequest<'limit'>[];
  /** Bandwidth caps that the last `hello` told. */
  heardCaps(): ControlReplies['hello']['bandwidth'];
  /** Asks `hello` as an agent does on connect. */
  hello(openOps: readonly string[]): Promise<Readonly<Record<string, 'continue' | 'stop' | 'forget'>>>;
  /** Cuts its connection without a word, as a machine that loses power. */
  kill(): Promise<void>;
  /** Aborts what runs, stops and closes its connection. */
  stop(): Promise<void>;
}

function unavailable(what: string): AppError {
  return new AppError({ code: 'INTERNAL_BUG', message: `fake agent: no ${what} in the script` });
}

function wireError(error: unknown) {
  return errorSchema.parse(serializeError(toAppError(error, 'fake step')));
}

async function defaultStep(params: Parameters<StepScript>[0]): Promise<unknown> {
  const { command, send, progress } = params;
  const step = command.plan.steps.find((one) => one.key === command.stepKey);
  const total = step?.bytes ?? 0;
  if (total > 0) progress(total, total);
  for (const resource of step?.resources ?? []) {
    await send({
      type: 'ledger-present',
      resourceKey: resource.resourceKey,
      token: { made: resource.resourceKey },
    });
  }
  if (command.kind === 'create-vm') return { vm: { id: 'vm-1', name: command.plan.vm.name, token: {} } };
  return { done: command.stepKey };
}

function createRunner(params: FakeAgentParams, bus: AgentBus, running: Map<string, AbortController>) {
  return async (command: StepCommand): Promise<void> => {
    const stop = new AbortController();
    running.set(command.opId, stop);
    const { opId, jobId, stepKey, epoch } = command;
    const send = async (body: EventBody): Promise<void> => {
      const head = { v: 1, eventId: newId(), opId, jobId, stepKey, epoch, atMs: params.clock.now() } as const;
      const event: StepEvent = stepEventSchema.parse({ ...head, ...body });
      await bus.publishEvent(event, new AbortController().signal);
      if (params.duplicateEvents === true) {
        // Without a message id, so that the server's own filter does not hide the second one.
        params.connection.nats.publish(eventSubject(params.address, jobId), JSON.stringify(event));
      }
    };
    const progress = (done: number, total: number): void => {
      const counters = { bytesDone: done, bytesTotal: total, bytesSkipped: 0 };
      bus.publishProgress({
        v: 1,
        jobId,
        opId,
        stepKey,
        phase: 'work',
        atMs: params.clock.now(),
        ...counters,
      });
      bus.flushProgress(opId);
    };
    await send({ type: 'accepted' });
    const scripted =
      command.mode === 'undo'
        ? params.script?.['undo']
        : (params.script?.[stepKey] ?? params.script?.[command.kind]);
    const run = scripted ?? (command.mode === 'undo' ? async () => null : defaultStep);
    const resourceKey = command.resourceKey ?? '';
    try {
      const output = await run({ command, signal: stop.signal, send, progress });
      await send(
        command.mode === 'undo'
          ? { type: 'undone', resourceKey }
          : { type: 'succeeded', output: output ?? null },
      );
    } catch (error) {
      if (stop.signal.aborted) await send({ type: 'cancelled' });
      else if (command.mode === 'undo')
        await send({ type: 'undo-failed', resourceKey, error: wireError(error) });
      else await send({ type: 'failed', error: wireError(error) });
    } finally {
      running.delete(opId);
    }
  };
}

/** Connects the fake agent to a bus and takes commands until `stop`. */
export function startFakeAgent(params: FakeAgentParams): FakeAgent {
  const bus = createAgentBus(params.connection, params.address);
  const commands: string[] = [];
  const caps: Record<string, StepCommand['bandwidth']> = {};
  const limits: AgentRequest<'limit'>[] = [];
  let heardCaps: ControlReplies['hello']['bandwidth'];
  const running = new Map<string, AbortController>();
  const run = createRunner(params, bus, running);
  const beat = (openOps: readonly string[]): Heartbeat => ({
    v: 1,
    version: '0.1.0',
    capabilities: ableHost,
    repositories: params.repositories,
    openOps: [...openOps],
    configuredBandwidth: 100 * 1024 * 1024,
    rssBytes: 1,
    atMs: params.clock.now(),
  });
  const pulling = bus.pullCommands({
    slots: 4,
    handler: {
      run: async (command) => {
        commands.push(`${command.mode} ${command.stepKey}#${command.attempt}`);
        caps[command.stepKey] = command.bandwidth;
        await run(command);
      },
      refuse: async (_head, error) => {
        throw error;
      },
    },
  });
  const beatEveryMs = params.beatEveryMs ?? 300;
  const beating =
    beatEveryMs === 0
      ? undefined
      : setInterval(() => bus.publishHeartbeat(beat([...running.keys()])), beatEveryMs);
  const controlling = bus.onControl((message) => running.get(message.opId)?.abort());
  const serving = bus.serveRequests({
    analyze: async () => params.facts ?? Promise.reject(unavailable('facts')),
    inventory: async () => params.targetFacts ?? Promise.reject(unavailable('target facts')),
    'check-target': async () => [],
    scan: async () => params.scanned ?? Promise.reject(unavailable('scan')),
    'probe-images': async (body) =>
      body.paths.map((relPath) => ({
        relPath,
        format: 'qcow2',
        fileSizeBytes: 1000,
        mtimeMs: 1,
        virtualSizeBytes: 2 ** 30,
        backingRelPath: null,
      })),
    limit: async (order) => {
      limits.push(order);
      return null;
    },
  });
  return {
    bus,
    commands,
    caps,
    limits,
    heardCaps: () => heardCaps,
    hello: async (openOps) => {
      const reply = await bus.ask(
        'hello',
        { heartbeat: beat(openOps), openOps: [...openOps] },
        { deadlineMs: 5_000 },
      );
      heardCaps = reply.bandwidth;
      return reply.ops;
    },
    kill: async () => {
      clearInterval(beating);
      await params.connection.nats.close();
    },
    stop: async () => {
      clearInterval(beating);
      for (const one of running.values()) one.abort();
      await Promise.all([pulling.stop(), controlling.stop(), serving.stop()]);
      // A pull request that is still out would take the next agent's commands.
      await params.connection.close();
    },
  };
}
