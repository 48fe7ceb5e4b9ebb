import type { RestoreJob, RestorePlan } from '@ascend/domain';
import {
  applyEvent,
  createJob as newJob,
  decide,
  jobKeys,
  type Applied,
  type JobEvent,
  type OperatorEvent,
} from '@ascend/engine';
import { AppError } from '@ascend/errors';
import type { AgentAddress, StepEvent } from '@ascend/protocol';
import type { Clock } from '@ascend/runtime';
import {
  changeJob,
  createJob,
  listSlots,
  noteLedger,
  releaseJobSlots,
  releaseSlots,
  takeAgentEvent,
  takeSlots,
  transaction,
  type JobChange,
  type Session,
  type StoredJob,
} from '@ascend/store';
import type { ProgressBoard } from '../events/progressBoard.ts';
import { toChange, viewOf, type CommandTarget, type PreparedChange } from './toChange.ts';

/** What a decision knows of the world, read in its own transaction. */
export interface World {
  readonly target: CommandTarget | null;
  addressOf(agentId: string): AgentAddress | null;
  isOnline(agentId: string): boolean;
}

/** What the desk works with. */
export interface DeskDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly newId: () => string;
  /** 0 to 1, for the back-off between attempts. */
  readonly random: () => number;
  readonly board: ProgressBoard;
  readWorld(tx: Session, job: RestoreJob): Promise<World>;
  /** Volatile word to a running agent; the flag in the rows is what counts (D16). */
  cancel(address: AgentAddress, opId: string): void;
  /** Called after each commit that left messages in the outbox. */
  wakePublisher(): void;
}

/** The only place where jobs change: every change is the engine's, made under the job's row lock. */
export interface JobDesk {
  /** Stores a job for the plan and starts what can start. @throws {AppError} PLAN_BLOCKED, CATALOG_BACKUP_UNKNOWN */
  start(plan: RestorePlan, createdBy: string): Promise<string>;
  /** An operator's order. @throws {AppError} RESTORE_TRANSITION_ILLEGAL, STORE_JOB_UNKNOWN */
  order(jobId: string, order: OperatorEvent, by: string): Promise<StoredJob>;
  /** An agent's event, exactly once whatever the bus does; acknowledge it after this. */
  take(event: StepEvent, from: AgentAddress): Promise<void>;
  /** The agent of an operation is gone for good: another attempt follows (D7). */
  agentLost(jobId: string, opId: string): Promise<void>;
  /** Decides again because time has passed or the world has changed. Returns the job as it is then. */
  look(jobId: string): Promise<RestoreJob>;
}

const nothingApplied = (job: RestoreJob): Applied => ({ job, ignored: null, effects: [] });

interface Advance {
  readonly prepared: PreparedChange;
  readonly ignored: string | null;
}

const endStates = new Set<RestoreJob['state']>(['completed', 'failed', 'cancelled', 'rolled_back']);

/** Keys that operations of other jobs hold (D17). */
async function readBusyKeys(tx: Session, jobId: string): Promise<Set<string>> {
  const held = await listSlots(tx);
  return new Set(held.filter((row) => row.jobId !== jobId).map((row) => row.concurrencyKey));
}

/** Takes the keys of all starts; the key that another job took meanwhile when one is full, and then none is held. */
async function takeKeys(
  tx: Session,
  jobId: string,
  starts: PreparedChange['starts'],
  nowMs: number,
): Promise<string | null> {
  for (const { opId, keys } of starts) {
    const wanted = keys.map((key) => ({ key, limit: 1 }));
    const full = await takeSlots(tx, { holder: opId, jobId, keys: wanted, nowMs });
    if (full !== null) {
      await releaseSlots(
        tx,
        starts.map((start) => start.opId),
      );
      return full;
    }
  }
  return null;
}

/** The name on the target is the job's own from its start to its end. */
async function holdName(tx: Session, job: RestoreJob, nowMs: number): Promise<void> {
  const { jobId, plan } = job;
  const keys = jobKeys(plan).map((key) => ({ key, limit: 1 }));
  const full = await takeSlots(tx, { holder: jobId, jobId, keys, nowMs });
  if (full === null) return;
  const holder = (await listSlots(tx)).find((row) => row.concurrencyKey === full)?.jobId ?? 'unknown';
  throw new AppError({
    code: 'API_RESTORE_NAME_BUSY',
    message: `start restore ${jobId}: restore ${holder} is making ${JSON.stringify(plan.vm.name)} on target ${plan.target.targetId}`,
    details: { jobId, holder, vmName: plan.vm.name, targetId: plan.target.targetId },
  });
}

/** Applies one event (if any), decides, and books the concurrency keys; all within `tx`. */
async function advance(
  deps: DeskDeps,
  tx: Session,
  stored: Pick<StoredJob, 'job' | 'bandwidth'>,
  event: JobEvent | null,
): Promise<Advance> {
  const { job, bandwidth } = stored;
  const nowMs = deps.clock.now();
  const applied = event === null ? nothingApplied(job) : applyEvent(job, event, nowMs, deps.random());
  const world = await deps.readWorld(tx, job);
  const busyKeys = await readBusyKeys(tx, job.jobId);
  for (;;) {
    const decision = decide(applied.job, {
      nowMs,
      newOpId: deps.newId,
      busyKeys,
      isAgentOnline: (agentId) =>
        world.target !== null && world.addressOf(agentId) !== null && world.isOnline(agentId),
    });
    const context = { nowMs, progress: deps.board.of(job.jobId), bandwidth, ...world };
    const prepared = toChange(job, applied.effects, decision, context);
    await releaseSlots(tx, prepared.endedOps);
    const full = await takeKeys(tx, job.jobId, prepared.starts, nowMs);
    if (full === null) {
      if (prepared.ended) await releaseJobSlots(tx, job.jobId);
      else if (endStates.has(job.state) && !endStates.has(decision.job.state)) await holdName(tx, job, nowMs);
      return { prepared, ignored: applied.ignored };
    }
    busyKeys.add(full);
  }
}

function afterCommit(deps: DeskDeps, jobId: string, prepared: PreparedChange | null): void {
  if (prepared === null) return;
  for (const { address, opId } of prepared.cancels) deps.cancel(address, opId);
  if (prepared.change.outbox.length > 0) deps.wakePublisher();
  if (prepared.ended) deps.board.drop(jobId);
}

function withEvents(change: JobChange, first: JobChange['events']): JobChange {
  return { ...change, events: [...first, ...change.events] };
}

/** Facts about resources count even when the job's row went with its backup. */
async function noteFact(deps: DeskDeps, event: StepEvent): Promise<void> {
  if (event.type !== 'ledger-present' && event.type !== 'ledger-gone' && event.type !== 'undone') return;
  const { jobId, stepKey, resourceKey } = event;
  const state = event.type === 'ledger-present' ? 'present' : 'gone';
  const token = event.type === 'ledger-present' ? (event.token ?? null) : null;
  await noteLedger(deps.db, { jobId, stepKey, resourceKey, state, token, nowMs: deps.clock.now() });
}

function isFromStepsAgent(job: RestoreJob, event: StepEvent, from: AgentAddress): boolean {
  const planned = job.plan.steps.find((step) => step.key === event.stepKey);
  return planned === undefined || planned.agentId === from.agentId;
}

async function takeEvent(deps: DeskDeps, event: StepEvent, from: AgentAddress): Promise<void> {
  let prepared: PreparedChange | null = null;
  const { eventId, jobId, opId, type } = event;
  const taken = await takeAgentEvent(deps.db, {
    event: { eventId, jobId, opId, type },
    nowMs: deps.clock.now(),
    decide: async (stored, tx) => {
      prepared = null;
      if (!isFromStepsAgent(stored.job, event, from)) {
        return { ignored: `agent ${from.agentId} does not run step ${event.stepKey}` };
      }
      const result = await advance(deps, tx, stored, event);
      if (result.ignored !== null) return { ignored: result.ignored };
      prepared = result.prepared;
      return result.prepared.change;
    },
  });
  if (taken.outcome === 'job-unknown') await noteFact(deps, event);
  afterCommit(deps, jobId, prepared);
}

async function change(
  deps: DeskDeps,
  jobId: string,
  event: JobEvent | null,
  first: JobChange['events'],
): Promise<StoredJob> {
  let prepared: PreparedChange | null = null;
  const stored = await changeJob(deps.db, {
    jobId,
    nowMs: deps.clock.now(),
    decide: async (before, tx) => {
      const result = await advance(deps, tx, before, event);
      prepared = result.prepared;
      return withEvents(result.prepared.change, first);
    },
  });
  afterCommit(deps, jobId, prepared);
  return stored;
}

/** Creates the desk. */
export function createJobDesk(deps: DeskDeps): JobDesk {
  return {
    start: async (plan, createdBy) => {
      const job = newJob(plan, deps.newId());
      const nowMs = deps.clock.now();
      const view = viewOf(job, deps.board.of(job.jobId), nowMs);
      await transaction(deps.db, async (tx) => {
        await createJob(tx, { job, view, createdBy, nowMs });
        await holdName(tx, job, nowMs);
      });
      await change(deps, job.jobId, null, []);
      return job.jobId;
    },
    order: (jobId, order, by) =>
      change(deps, jobId, order, [{ type: 'order', data: { order: order.type, by } }]),
    take: (event, from) => takeEvent(deps, event, from),
    agentLost: async (jobId, opId) => {
      await change(deps, jobId, { type: 'agent-lost', opId }, []);
    },
    look: async (jobId) => (await change(deps, jobId, null, [])).job,
  };
}
