import type { JobStep, RestoreJob, StepState, StoredError } from '@ascend/domain';
import { asc, eq, inArray, sql } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { restoreStepAttempts } from '../schema/index.ts';

/** A row of `restore_step_attempts`. */
export type AttemptRow = typeof restoreStepAttempts.$inferSelect;
type AttemptState = AttemptRow['state'];

const attemptStates: Readonly<Record<StepState, AttemptState>> = {
  // A step that waits again after an attempt: that attempt failed and another one is due.
  waiting: 'failed',
  dispatched: 'dispatched',
  running: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
  skipped: 'superseded',
};

interface AttemptStart {
  readonly opId: string;
  readonly stepKey: string;
  readonly attempt: number;
  readonly mode: 'run' | 'undo';
  readonly resourceKey: string | null;
  readonly epoch: number;
}

interface AttemptEnd {
  readonly opId: string;
  readonly state: AttemptState;
  readonly error: StoredError | null;
}

/** What a change of a job means for its attempts. */
interface AttemptChanges {
  readonly started: readonly AttemptStart[];
  readonly moved: readonly AttemptEnd[];
}

function stepChanges(before: JobStep | undefined, after: JobStep): AttemptChanges {
  const started: AttemptStart[] = [];
  const moved: AttemptEnd[] = [];
  const isSameOp = before?.opId === after.opId;
  if (!isSameOp && before !== undefined && before.opId !== null) {
    const isOpen = before.state === 'dispatched' || before.state === 'running';
    const state = after.error === null ? 'superseded' : 'failed';
    if (isOpen) moved.push({ opId: before.opId, state, error: after.error });
  }
  if (after.opId !== null) {
    if (!isSameOp) {
      started.push({
        opId: after.opId,
        stepKey: after.key,
        attempt: after.attempt,
        mode: 'run',
        resourceKey: null,
        epoch: after.epoch,
      });
    }
    if (!isSameOp || before?.state !== after.state) {
      moved.push({ opId: after.opId, state: attemptStates[after.state], error: after.error });
    }
  }
  return { started, moved };
}

function undoChanges(before: RestoreJob | null, after: RestoreJob): AttemptChanges {
  const started: AttemptStart[] = [];
  const moved: AttemptEnd[] = [];
  for (const entry of after.ledger) {
    const old = before?.ledger.find(
      (one) => one.stepKey === entry.stepKey && one.resourceKey === entry.resourceKey,
    );
    const epoch = after.steps.find((step) => step.key === entry.stepKey)?.epoch ?? 0;
    if (entry.state === 'deleting' && entry.opId !== null && entry.opId !== old?.opId) {
      const { opId, stepKey, resourceKey } = entry;
      started.push({ opId, stepKey, attempt: 0, mode: 'undo', resourceKey, epoch });
    }
    if (old?.state === 'deleting' && old.opId !== null && entry.state !== 'deleting') {
      const state = entry.state === 'gone' ? 'succeeded' : 'failed';
      moved.push({ opId: old.opId, state, error: null });
    }
  }
  return { started, moved };
}

/** Keeps the attempt rows true to a change of the job; part of saving it. */
export async function saveAttempts(
  tx: Session,
  before: RestoreJob | null,
  after: RestoreJob,
  nowMs: number,
): Promise<void> {
  const olds = new Map(before?.steps.map((step) => [step.key, step]));
  const changes = [
    ...after.steps
      .filter((step) => olds.get(step.key) !== step)
      .map((step) => stepChanges(olds.get(step.key), step)),
    undoChanges(before, after),
  ];
  const now = new Date(nowMs);
  const started = changes.flatMap((change) => change.started);
  if (started.length > 0) {
    const agents = new Map(after.plan.steps.map((step) => [step.key, step.agentId]));
    await tx.orm
      .insert(restoreStepAttempts)
      .values(
        started.map((start) =>
          Object.assign({}, start, {
            restoreJobId: after.jobId,
            agentId: agents.get(start.stepKey) ?? null,
            state: 'dispatched' as const,
            dispatchedAt: now,
          }),
        ),
      )
      .onDuplicateKeyUpdate({ set: { opId: sql`${restoreStepAttempts.opId}` } });
  }
  for (const { opId, state, error } of changes.flatMap((change) => change.moved)) {
    const isOpen = state === 'dispatched' || state === 'running';
    await tx.orm
      .update(restoreStepAttempts)
      .set({ state, error, endedAt: isOpen ? null : now })
      .where(eq(restoreStepAttempts.opId, opId));
  }
}

/** All attempts of a job in the order of their dispatch. */
export const listAttempts = query(
  'list attempts',
  async (session, jobId: string): Promise<readonly AttemptRow[]> =>
    session.orm
      .select()
      .from(restoreStepAttempts)
      .where(eq(restoreStepAttempts.restoreJobId, jobId))
      .orderBy(asc(restoreStepAttempts.dispatchedAt), asc(restoreStepAttempts.opId)),
);

/** What the database knows about operations that an agent reports as open (D6); unknown ones are not in the answer. */
export const findAttempts = query(
  'find attempts',
  async (session, opIds: readonly string[]): Promise<readonly AttemptRow[]> =>
    opIds.length === 0
      ? []
      : session.orm
          .select()
          .from(restoreStepAttempts)
          .where(inArray(restoreStepAttempts.opId, [...opIds])),
);

/** Operations that were given to agents and have not ended. */
export const listOpenAttempts = query('list open attempts', async (session): Promise<readonly AttemptRow[]> =>
  session.orm
    .select()
    .from(restoreStepAttempts)
    .where(inArray(restoreStepAttempts.state, ['dispatched', 'running']))
    .orderBy(asc(restoreStepAttempts.dispatchedAt)),
);
