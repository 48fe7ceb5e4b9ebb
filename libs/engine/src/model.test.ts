import type { RestoreJob, StoredError } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyEvent } from './applyEvent.ts';
import { decide } from './decide.ts';
import type { DispatchEffect, Effect } from './effect.ts';
import type { AgentEvent, JobEvent, OperationRef, OperatorEvent } from './event.ts';
import { createJob, isInFlight } from './job.ts';
import { storedError } from './testing/bench.ts';
import { samplePlan } from './testing/samplePlan.ts';

/** An operation as its agent knows it. */
interface Operation {
  readonly command: DispatchEffect;
  ended: boolean;
  /** The control plane gave it up, or was told that it ended: a successor may leave. */
  released: boolean;
}

/** A job, its agents, and the messages between them: events arrive in any order, twice, late or after a crash. */
interface World {
  job: RestoreJob;
  nowMs: number;
  ops: number;
  readonly operations: Operation[];
  readonly mail: AgentEvent[];
  readonly offline: Set<string>;
  /** Intents for the VM since its row was last gone. */
  vmIntents: number;
}

const planSteps = samplePlan().steps;
const errorCodes = ['PROCESS_STALLED', 'INPUT_INVALID', 'PLAN_STORAGE_FULL', 'UNKNOWN_CODE'];
const ends = new Set(['completed', 'failed', 'cancelled', 'rolled_back']);

function createWorld(): World {
  return {
    job: createJob(samplePlan(), 'job-1'),
    nowMs: 0,
    ops: 0,
    operations: [],
    mail: [],
    offline: new Set(),
    vmIntents: 0,
  };
}

function pick<T>(list: readonly T[], choice: number): T | undefined {
  return list[choice % Math.max(1, list.length)];
}

function checkDispatch(world: World, command: DispatchEffect): void {
  const earlier = world.operations.filter((operation) => operation.command.stepKey === command.stepKey);
  if (command.mode === 'run') {
    // Never two attempts of one step at once, unless the older one was given up and is outranked.
    expect(earlier.every((operation) => operation.released || operation.ended)).toBe(true);
    const stray = earlier.filter((operation) => !operation.ended);
    expect(stray.every((operation) => operation.command.epoch < command.epoch)).toBe(true);
    expect(world.job.state).toBe('running');
  } else {
    const row = world.job.ledger.find((entry) => entry.opId === command.opId);
    const later = world.job.ledger.filter((entry) => entry.undoOrder > Number(row?.undoOrder));
    expect(later.every((entry) => entry.state === 'gone')).toBe(true);
    expect(world.job.state).toBe('rolling_back');
    expect(world.job.steps.some(isInFlight)).toBe(false);
  }
  expect(earlier.every((operation) => operation.command.attempt < command.attempt)).toBe(true);
  expect(world.operations.every((operation) => operation.command.epoch <= command.epoch)).toBe(true);
}

function take(world: World, effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.type === 'ledger-intent' && effect.entry.kind === 'vm') world.vmIntents += 1;
    if (effect.type === 'dispatch') {
      checkDispatch(world, effect);
      world.operations.push({ command: effect, ended: false, released: false });
    }
    if (effect.type === 'cancel-op') {
      const told = world.operations.find((operation) => operation.command.opId === effect.opId);
      if (told !== undefined && !told.ended) end(world, told, { ...refOf(told), type: 'cancelled' });
    }
  }
  expect(world.vmIntents).toBeLessThanOrEqual(1);
}

function tick(world: World): void {
  const params = {
    nowMs: world.nowMs,
    newOpId: () => `op-${(world.ops += 1)}`,
    isAgentOnline: (agentId: string) => !world.offline.has(agentId),
  };
  const decision = decide(world.job, params);
  world.job = decision.job;
  take(world, decision.effects);
  expect(decide(world.job, params)).toEqual({ job: world.job, effects: [] });
}

/** Applies the event; returns the code with which it was refused, empty when it was not. */
function refusal(world: World, event: JobEvent, jitter: number): string {
  try {
    world.job = applyEvent(world.job, event, world.nowMs, jitter).job;
    return '';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
}

function apply(world: World, event: JobEvent, jitter: number): void {
  expect(refusal(world, event, jitter)).toMatch(
    // Only operators can ask for something illegal.
    'opId' in event ? /^$/ : /^(RESTORE_TRANSITION_ILLEGAL|RESTORE_INVALIDATE_REFUSED)?$/,
  );
  if (
    event.type === 'succeeded' ||
    event.type === 'failed' ||
    event.type === 'cancelled' ||
    event.type === 'agent-lost'
  ) {
    const operation = world.operations.find((candidate) => candidate.command.opId === event.opId);
    if (operation !== undefined) operation.released = true;
  }
  if (world.job.ledger.some((row) => row.kind === 'vm' && row.state === 'gone')) world.vmIntents = 0;
  tick(world);
}

function refOf(operation: Operation): OperationRef {
  const { opId, stepKey, epoch } = operation.command;
  return { opId, stepKey, epoch };
}

function end(world: World, operation: Operation, event: AgentEvent): void {
  operation.ended = true;
  world.mail.push(event);
}

function presentEvent(ref: OperationRef, resourceKey: string): AgentEvent {
  return { ...ref, type: 'ledger-present', resourceKey, token: ref.stepKey };
}

/** How an undo may end; the second is the good one. */
function undoEnds(ref: OperationRef, resourceKey: string, error: StoredError): readonly AgentEvent[] {
  return [
    { ...ref, resourceKey, type: 'undo-failed', error },
    { ...ref, resourceKey, type: 'undone' },
    { ...ref, type: 'failed', error },
  ];
}

/** The agent does something with an operation it has; its messages go to the mail. */
function work(world: World, operation: Operation, choice: number): void {
  const ref = refOf(operation);
  const { mode, resourceKey } = operation.command;
  const error = storedError(String(pick(errorCodes, choice >> 4)));
  if (mode === 'undo') {
    end(
      world,
      operation,
      undoEnds(ref, String(resourceKey), error)[choice % 4] ?? { ...ref, type: 'cancelled' },
    );
    return;
  }
  const resources = planSteps.find((step) => step.key === ref.stepKey)?.resources ?? [];
  const present = resources.map((resource) => presentEvent(ref, resource.resourceKey));
  switch (choice % 6) {
    case 0:
      world.mail.push({ ...ref, type: 'accepted' });
      break;
    case 1:
      world.mail.push({ ...ref, type: 'checkpoint', data: choice }, ...present);
      break;
    case 2:
      end(world, operation, { ...ref, type: 'failed', error });
      break;
    case 3:
      end(world, operation, { ...ref, type: 'cancelled' });
      break;
    default:
      world.mail.push(...present);
      end(world, operation, { ...ref, type: 'succeeded', output: choice });
  }
}

const operatorEvents: readonly OperatorEvent[] = [
  { type: 'pause' },
  { type: 'resume' },
  { type: 'retry' },
  { type: 'retry', redo: ['prepare-guest'] },
  { type: 'cancel' },
  { type: 'cancel', rollback: true },
  { type: 'rollback' },
];

const move = fc.record({
  what: fc.constantFrom(
    'deliver',
    'repeat',
    'work',
    'work',
    'work',
    'lose',
    'agent',
    'time',
    'crash',
    'operate',
  ),
  choice: fc.nat(1_000),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});

type Move = typeof move extends fc.Arbitrary<infer M> ? M : never;

function deliver(world: World, index: number, jitter: number): void {
  const [event] = world.mail.splice(index, 1);
  if (event !== undefined) apply(world, event, jitter);
}

const moves: Readonly<Record<Move['what'], (world: World, move: Move) => void>> = {
  deliver: (world, { choice, jitter }) => {
    deliver(world, choice % Math.max(1, world.mail.length), jitter);
  },
  repeat: (world, { choice, jitter }) => {
    const event = pick(world.mail, choice);
    if (event !== undefined) apply(world, event, jitter);
  },
  work: (world, { choice }) => {
    const open = world.operations.filter((operation) => !operation.ended);
    const operation = pick(open, choice);
    if (operation !== undefined) work(world, operation, choice);
  },
  lose: (world, { choice, jitter }) => {
    const operation = pick(world.operations, choice);
    if (operation !== undefined) apply(world, { type: 'agent-lost', opId: operation.command.opId }, jitter);
  },
  agent: (world, { choice }) => {
    const agentId = choice % 2 === 0 ? 'agent-a' : 'agent-b';
    if (!world.offline.delete(agentId)) world.offline.add(agentId);
    tick(world);
  },
  time: (world, { choice }) => {
    world.nowMs += choice * 100;
    tick(world);
  },
  crash: (world) => {
    world.job = JSON.parse(JSON.stringify(world.job));
    tick(world);
  },
  operate: (world, { choice, jitter }) => {
    const event = pick(operatorEvents, choice);
    if (event !== undefined) apply(world, event, jitter);
  },
};

function checkWorld(world: World): void {
  const { job } = world;
  const rows = job.ledger.map((row) => `${row.stepKey} ${row.resourceKey}`);
  expect(new Set(rows).size).toBe(rows.length);
  expect(job.ledger.filter((row) => row.state === 'deleting').length).toBeLessThanOrEqual(1);
  expect(job.state !== 'rolled_back' || job.ledger.every((row) => row.state === 'gone')).toBe(true);
  expect(job.state !== 'completed' || job.steps.every((step) => step.state === 'succeeded')).toBe(true);
}

/** From now on agents are there and do what they are told, and every message arrives. */
function behave(world: World, until: () => boolean): void {
  world.offline.clear();
  for (let round = 0; round < 300 && !until(); round += 1) {
    world.nowMs += 1_000_000;
    tick(world);
    for (const operation of world.operations.filter((candidate) => !candidate.ended)) {
      work(world, operation, operation.command.mode === 'undo' ? 1 : 4);
    }
    while (world.mail.length > 0) deliver(world, 0, 1);
    checkWorld(world);
  }
}

test('any order of events, repetitions, losses and crashes keeps the invariants, and every job can reach an end', () => {
  fc.assert(
    fc.property(
      fc.nat(planSteps.length),
      fc.array(move, { maxLength: 120, size: 'max' }),
      (begin, script) => {
        const world = createWorld();
        behave(world, () => world.job.steps.filter((step) => step.state === 'succeeded').length >= begin);
        tick(world);
        for (const one of script) {
          moves[one.what](world, one);
          checkWorld(world);
        }
        if (world.job.pauseRequested) apply(world, { type: 'resume' }, 1);
        behave(world, () => ends.has(world.job.state) && world.mail.length === 0);
        expect([...ends]).toContain(world.job.state);
        if (world.job.state !== 'rolled_back') apply(world, { type: 'rollback' }, 1);
        behave(world, () => world.job.state === 'rolled_back');
        expect(world.job.state).toBe('rolled_back');
        expect(world.job.ledger.every((row) => row.state === 'gone')).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test('a job whose agents behave completes with one VM', () => {
  const world = createWorld();
  behave(world, () => ends.has(world.job.state));
  expect(world.job.state).toBe('completed');
  expect(world.job.ledger.filter((row) => row.kind === 'vm')).toMatchObject([{ state: 'present' }]);
  expect(world.operations).toHaveLength(planSteps.length);
});
