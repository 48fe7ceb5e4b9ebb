import type { RestoreJob } from '@ascend/domain';
import { hasCode, serializeError, toAppError } from '@ascend/errors';
import type { Clock, Logger } from '@ascend/runtime';
import {
  backupDeletedUnderJob,
  closeReport,
  listActiveJobs,
  listAgents,
  listOpenAttempts,
  listVanishedJobs,
  loadJob,
  pruneInbox,
  pruneOutbox,
  prunePlans,
  releaseJobSlots,
  requeueOutbox,
  saveProgress,
  takeLease,
  type AgentRow,
  type AttemptRow,
  type Session,
} from '@ascend/store';
import type { Presence } from '../agents/presence.ts';
import type { ProgressBoard } from '../events/progressBoard.ts';
import type { JobDesk } from './jobDesk.ts';
import { startLoop, type Loop } from './loop.ts';
import { viewOf } from './toChange.ts';

/** Times of the reaper, ms. */
export interface ReaperTimes {
  readonly tickMs: number;
  /** Longest time until a waiting job is decided about again; the end of a back-off comes sooner. */
  readonly lookEveryMs: number;
  readonly leaseMs: number;
  /** A command without a sign of life from an agent that is online is published again. */
  readonly republishAfterMs: number;
  /** An operation that its agent does not name any more is lost after this. */
  readonly missingAfterMs: number;
  /** An agent that was not heard for this long is offline; it says hello every 4 to 8 s and beats every 10 s. */
  readonly onlineWithinMs: number;
  /** Another agent may take over a step only after this (D7). */
  readonly agentLostAfterMs: number;
  readonly saveProgressEveryMs: number;
  readonly pruneEveryMs: number;
}

/** The times the design asks for. */
export const reaperTimes: ReaperTimes = {
  tickMs: 1_000,
  lookEveryMs: 4_000,
  leaseMs: 15_000,
  republishAfterMs: 30_000,
  missingAfterMs: 60_000,
  onlineWithinMs: 30_000,
  agentLostAfterMs: 600_000,
  saveProgressEveryMs: 30_000,
  pruneEveryMs: 3_600_000,
};

const day = 86_400_000;

/** What the reaper works with. */
export interface ReaperDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly holder: string;
  readonly times: ReaperTimes;
  readonly desk: JobDesk;
  readonly presence: Pick<Presence, 'isOnline'>;
  readonly board: ProgressBoard;
  wakePublisher(): void;
}

/** What one holder of the lease remembers between ticks; losing it only delays. */
interface Memory {
  readonly missingSinceMs: Map<string, number>;
  readonly republishedAtMs: Map<string, number>;
  readonly nextLookMs: Map<string, number>;
  progressSavedAtMs: number;
  prunedAtMs: number;
}

function isLongGone(agent: AgentRow | undefined, nowMs: number, afterMs: number): boolean {
  if (agent === undefined || agent.revokedAt !== null) return true;
  return agent.lastSeenAt === null || nowMs - agent.lastSeenAt.getTime() > afterMs;
}

/** Looks at one operation that was given to an agent and has not ended; true when it counts as lost. */
function isLost(deps: ReaperDeps, memory: Memory, attempt: AttemptRow, agent: AgentRow | undefined): boolean {
  const nowMs = deps.clock.now();
  if (isLongGone(agent, nowMs, deps.times.agentLostAfterMs)) {
    return nowMs - attempt.dispatchedAt.getTime() > deps.times.agentLostAfterMs;
  }
  const isNamed = agent?.openOps.includes(attempt.opId) === true;
  if (agent === undefined || !deps.presence.isOnline(agent) || isNamed || attempt.state === 'dispatched') {
    memory.missingSinceMs.delete(attempt.opId);
    return false;
  }
  const since = memory.missingSinceMs.get(attempt.opId) ?? nowMs;
  memory.missingSinceMs.set(attempt.opId, since);
  return nowMs - since > deps.times.missingAfterMs;
}

async function republish(
  deps: ReaperDeps,
  memory: Memory,
  attempts: readonly AttemptRow[],
  agents: ReadonlyMap<string, AgentRow>,
): Promise<void> {
  const nowMs = deps.clock.now();
  const due = attempts.filter((attempt) => {
    const agent = agents.get(attempt.agentId ?? '');
    const since = memory.republishedAtMs.get(attempt.opId) ?? attempt.dispatchedAt.getTime();
    return (
      attempt.state === 'dispatched' &&
      agent !== undefined &&
      deps.presence.isOnline(agent) &&
      !agent.openOps.includes(attempt.opId) &&
      nowMs - since > deps.times.republishAfterMs
    );
  });
  if (due.length === 0) return;
  for (const attempt of due) memory.republishedAtMs.set(attempt.opId, nowMs);
  const opIds = due.map((attempt) => attempt.opId);
  const count = await requeueOutbox(deps.db, { msgIds: opIds });
  deps.logger.warn('commands without a sign of life are published again', { count, opIds });
  deps.wakePublisher();
}

function forgetEnded(memory: Memory, attempts: readonly AttemptRow[]): void {
  const open = new Set(attempts.map((attempt) => attempt.opId));
  for (const map of [memory.missingSinceMs, memory.republishedAtMs]) {
    for (const opId of map.keys()) if (!open.has(opId)) map.delete(opId);
  }
}

async function watchOperations(deps: ReaperDeps, memory: Memory): Promise<void> {
  const attempts = await listOpenAttempts(deps.db);
  forgetEnded(memory, attempts);
  if (attempts.length === 0) return;
  const agents = new Map((await listAgents(deps.db)).map((agent) => [agent.agentId, agent]));
  for (const attempt of attempts) {
    if (!isLost(deps, memory, attempt, agents.get(attempt.agentId ?? ''))) continue;
    deps.logger.warn('operation is lost with its agent', { opId: attempt.opId, agentId: attempt.agentId });
    await deps.desk.agentLost(attempt.restoreJobId, attempt.opId);
  }
  await republish(deps, memory, attempts, agents);
}

/** When the job has to be looked at again: at the end of the next back-off, and now and then anyway. */
function nextLookOf(job: RestoreJob, nowMs: number, everyMs: number): number {
  const due = job.steps.map((step) => step.notBeforeMs).filter((ms) => ms > nowMs);
  return Math.min(nowMs + everyMs, ...due);
}

/** Decides about every job again: back-offs run out, agents come online, keys become free. */
async function lookAtJobs(deps: ReaperDeps, memory: Memory, active: readonly string[]): Promise<void> {
  for (const jobId of memory.nextLookMs.keys()) {
    if (!active.includes(jobId)) memory.nextLookMs.delete(jobId);
  }
  for (const jobId of active) {
    const nowMs = deps.clock.now();
    if ((memory.nextLookMs.get(jobId) ?? 0) > nowMs) continue;
    memory.nextLookMs.set(jobId, nowMs + deps.times.lookEveryMs);
    try {
      const job = await deps.desk.look(jobId);
      memory.nextLookMs.set(jobId, nextLookOf(job, deps.clock.now(), deps.times.lookEveryMs));
    } catch (error) {
      // One broken job must not keep the others waiting.
      if (hasCode(error, 'STORE_JOB_UNKNOWN') || hasCode(error, 'STORE_JOB_FOREIGN')) continue;
      deps.logger.error('job could not be looked at', { jobId, error: toAppError(error, 'look at job') });
    }
  }
}

/** A backup that was deleted took its running restore's row along: the report says so, the ledger stays. */
async function closeVanished(deps: ReaperDeps): Promise<void> {
  for (const report of await listVanishedJobs(deps.db)) {
    const error = serializeError(backupDeletedUnderJob(report.jobId, report.backupId));
    await closeReport(deps.db, { jobId: report.jobId, error, nowMs: deps.clock.now() });
    await releaseJobSlots(deps.db, report.jobId);
    deps.logger.error('restore lost its backup while it ran', {
      jobId: report.jobId,
      backupId: report.backupId,
    });
  }
}

async function keepProgress(deps: ReaperDeps, memory: Memory): Promise<void> {
  const nowMs = deps.clock.now();
  if (nowMs - memory.progressSavedAtMs < deps.times.saveProgressEveryMs) return;
  memory.progressSavedAtMs = nowMs;
  for (const jobId of deps.board.takeChanged()) {
    const progress = deps.board.of(jobId);
    try {
      const { job } = await loadJob(deps.db, jobId);
      await saveProgress(deps.db, {
        jobId,
        progress: [...progress.values()],
        view: viewOf(job, progress, nowMs),
      });
    } catch (error) {
      if (!hasCode(error, 'STORE_JOB_UNKNOWN')) throw error;
      deps.board.drop(jobId);
    }
  }
}

async function prune(deps: ReaperDeps, memory: Memory): Promise<void> {
  const nowMs = deps.clock.now();
  if (nowMs - memory.prunedAtMs < deps.times.pruneEveryMs) return;
  memory.prunedAtMs = nowMs;
  // The bus keeps events for 30 days: what is older cannot come again.
  await pruneInbox(deps.db, nowMs - 31 * day);
  await pruneOutbox(deps.db, nowMs - day);
  await prunePlans(deps.db, nowMs - 30 * day);
}

/** Watches over jobs and operations as long as this replica holds the lease; the others stand by. */
export function startReaper(deps: ReaperDeps): Loop {
  const memory: Memory = {
    missingSinceMs: new Map(),
    republishedAtMs: new Map(),
    nextLookMs: new Map(),
    progressSavedAtMs: deps.clock.now(),
    prunedAtMs: 0,
  };
  return startLoop({
    name: 'reap',
    intervalMs: deps.times.tickMs,
    clock: deps.clock,
    logger: deps.logger,
    work: async () => {
      const active = await listActiveJobs(deps.db);
      deps.board.keepOnly(active);
      const lease = await takeLease(deps.db, {
        name: 'reaper',
        holder: deps.holder,
        ttlMs: deps.times.leaseMs,
      });
      if (lease === null) return 'rest';
      await watchOperations(deps, memory);
      await lookAtJobs(deps, memory, active);
      await closeVanished(deps);
      await keepProgress(deps, memory);
      await prune(deps, memory);
      return 'rest';
    },
  });
}
