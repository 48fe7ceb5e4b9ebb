import type { JobState } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { and, eq, gt, inArray } from 'drizzle-orm';
import { query } from '../database.ts';
import { agents, restoreJobs, restoreSteps } from '../schema/index.ts';
import { agentUnknown } from './agents.ts';
import { storedBandwidth, type StoredBandwidth } from './bandwidthCap.ts';
import { insertEvents } from './jobEvents.ts';
import { jobUnknown } from './loadJob.ts';
import { runTransaction } from '../session.ts';

/** States in which disks move, or may move again: a failed restore can be retried. */
const movableStates: ReadonlySet<JobState> = new Set(['queued', 'running', 'paused', 'failed']);

// Clocks of replicas differ and may be set back: what was stored later must count all the same.
function nextRevision(last: number, nowMs: number): number {
  return Math.max(last + 1, nowMs);
}

/**
 * Sets the cap of each disk stream of a restore, in bytes per second (null = none), and writes it into its history.
 *
 * @throws {AppError} STORE_JOB_UNKNOWN; STORE_JOB_FOREIGN - a row of the older product; RESTORE_TRANSITION_ILLEGAL - it has ended
 */
export const setJobBandwidth = query(
  'set bandwidth of job',
  async (
    session,
    params: {
      readonly jobId: string;
      readonly bytesPerSecond: number | null;
      readonly by: string;
      readonly nowMs: number;
    },
  ): Promise<StoredBandwidth> =>
    runTransaction(session, async (tx) => {
      const { jobId, bytesPerSecond, by, nowMs } = params;
      const [row] = await tx.orm
        .select({
          state: restoreJobs.state,
          planId: restoreJobs.planId,
          lastEventSeq: restoreJobs.lastEventSeq,
          revision: restoreJobs.bandwidthRevision,
        })
        .from(restoreJobs)
        .where(eq(restoreJobs.id, jobId))
        .for('update');
      if (row === undefined) throw jobUnknown(jobId, 'limit restore');
      if (row.planId === null) {
        const message = `limit restore ${jobId}: it has no plan`;
        throw new AppError({ code: 'STORE_JOB_FOREIGN', message, details: { jobId } });
      }
      if (!movableStates.has(row.state)) {
        throw new AppError({
          code: 'RESTORE_TRANSITION_ILLEGAL',
          message: `limit restore ${jobId}: it is ${row.state}, no disk of it moves any more`,
          details: { jobId, state: row.state },
        });
      }
      const cap = { bytesPerSecond, revision: nextRevision(row.revision, nowMs) };
      const event = { type: 'bandwidth-limited', data: { bytes_per_second: bytesPerSecond, by } };
      const lastEventSeq = await insertEvents(tx, jobId, row.lastEventSeq, [event], nowMs);
      await tx.orm
        .update(restoreJobs)
        .set({ bandwidthBytesPerSecond: bytesPerSecond, bandwidthRevision: cap.revision, lastEventSeq })
        .where(eq(restoreJobs.id, jobId));
      return cap;
    }),
);

/**
 * Sets the cap of all transfers of an agent together, in bytes per second (null = none, whatever its settings say).
 *
 * @throws {AppError} STORE_AGENT_UNKNOWN
 */
export const setAgentBandwidth = query(
  'set bandwidth of agent',
  async (
    session,
    params: {
      readonly agentId: string;
      readonly bytesPerSecond: number | null;
      readonly nowMs: number;
    },
  ): Promise<StoredBandwidth> =>
    runTransaction(session, async (tx) => {
      const { agentId, bytesPerSecond, nowMs } = params;
      const [row] = await tx.orm
        .select({ revision: agents.bandwidthRevision })
        .from(agents)
        .where(eq(agents.id, agentId))
        .for('update');
      if (row === undefined) throw agentUnknown(agentId, 'limit agent');
      const revision = nextRevision(row.revision, nowMs);
      await tx.orm
        .update(agents)
        .set({ bandwidthBytesPerSecond: bytesPerSecond, bandwidthRevision: revision })
        .where(eq(agents.id, agentId));
      return { bytesPerSecond, revision };
    }),
);

/** Caps that operators set for restores that have not ended and move disks through this agent, by job id. */
export const listJobBandwidth = query(
  'list bandwidth of jobs',
  async (session, agentId: string): Promise<Readonly<Record<string, StoredBandwidth>>> => {
    const rows = await session.orm
      .selectDistinct({
        jobId: restoreJobs.id,
        bandwidthBytesPerSecond: restoreJobs.bandwidthBytesPerSecond,
        bandwidthRevision: restoreJobs.bandwidthRevision,
      })
      .from(restoreJobs)
      .innerJoin(restoreSteps, eq(restoreSteps.restoreJobId, restoreJobs.id))
      .where(
        and(
          inArray(restoreJobs.state, ['queued', 'running', 'paused']),
          gt(restoreJobs.bandwidthRevision, 0),
          eq(restoreSteps.agentId, agentId),
        ),
      );
    return Object.fromEntries(
      rows.flatMap((row) => {
        const cap = storedBandwidth(row);
        return cap === null ? [] : [[row.jobId, cap] as const];
      }),
    );
  },
);
