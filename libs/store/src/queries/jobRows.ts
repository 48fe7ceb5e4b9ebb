import type {
  JobState,
  JobStep,
  LedgerEntry,
  PlanStep,
  RestoreJob,
  RestorePlan,
  StepState,
  StoredError,
} from '@ascend/domain';
import { stepDefinitions } from '@ascend/domain';
import type { ledger, restoreJobs, restoreSteps } from '../schema/index.ts';

/** A row of `restore_jobs`. */
export type JobRow = typeof restoreJobs.$inferSelect;
/** A row of `restore_steps`. */
export type StepRow = typeof restoreSteps.$inferSelect;
/** A row of `ledger`. */
export type LedgerRow = typeof ledger.$inferSelect;

/** States in which nothing more happens without a new request. */
export const endStates: readonly JobState[] = ['completed', 'failed', 'cancelled', 'rolled_back'];

const stepStatuses = {
  waiting: 'pending',
  dispatched: 'running',
  running: 'running',
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  skipped: 'skipped',
} as const satisfies Record<StepState, StepRow['status']>;

/** A step as the engine sees it. */
export function toJobStep(row: StepRow): JobStep {
  return {
    key: row.stepKey,
    state: row.state,
    attempt: row.attempt,
    opId: row.opId,
    epoch: row.epoch,
    notBeforeMs: row.notBeforeMs,
    error: row.error,
    output: row.output,
    checkpoint: row.checkpoint,
    startedAtMs: row.startedMs,
    completedAtMs: row.completedMs,
  };
}

/** A ledger row as the engine sees it. */
export function toLedgerEntry(row: LedgerRow): LedgerEntry {
  return {
    jobId: row.jobId,
    stepKey: row.stepKey,
    resourceKey: row.resourceKey,
    targetId: row.targetId,
    kind: row.kind,
    name: row.name,
    token: row.token,
    state: row.state,
    undoOrder: row.undoOrder,
    opId: row.opId,
  };
}

/** The whole job as the engine sees it. */
export function toRestoreJob(
  row: JobRow,
  plan: RestorePlan,
  steps: readonly StepRow[],
  ledgerRows: readonly LedgerRow[],
): RestoreJob {
  return {
    jobId: row.id,
    plan,
    state: row.state,
    cancelRequested: row.cancelRequested,
    rollbackRequested: row.rollbackRequested,
    pauseRequested: row.pauseRequested,
    steps: steps.map(toJobStep),
    ledger: ledgerRows.map(toLedgerEntry),
    error: row.error,
  };
}

/** Fits a TEXT column whatever the characters are; the whole message is in the JSON beside it. */
const maxTextLength = 16_000;

/** The message of an error as the older columns hold it. */
export function errorText(error: StoredError | null): string | null {
  return error === null ? null : error.message.slice(0, maxTextLength);
}

function dateOrNull(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

/** The columns that change while a step runs; the older product's columns follow from the engine's. */
export function stepColumns(step: JobStep) {
  return {
    status: stepStatuses[step.state],
    startedAt: dateOrNull(step.startedAtMs),
    completedAt: dateOrNull(step.completedAtMs),
    errorMessage: errorText(step.error),
    state: step.state,
    attempt: step.attempt,
    opId: step.opId,
    epoch: step.epoch,
    notBeforeMs: step.notBeforeMs,
    startedMs: step.startedAtMs,
    completedMs: step.completedAtMs,
    output: step.output ?? null,
    checkpoint: step.checkpoint ?? null,
    error: step.error,
  };
}

/** The columns of a step that are fixed when the job is made. */
export function plannedStepColumns(planned: PlanStep) {
  return {
    stepName: stepDefinitions[planned.kind].title,
    stepKey: planned.key,
    kind: planned.kind,
    diskIndex: planned.diskIndex,
    agentId: planned.agentId,
    metadata: {
      kind: planned.kind,
      disk_index: planned.diskIndex,
      agent_id: planned.agentId,
      bytes: planned.bytes,
      depends_on: planned.dependsOn,
    },
  };
}

/** The new VM's id on the target as the connector recorded it; null before create-vm. */
export function targetVmIdOf(job: RestoreJob): string | null {
  const entry = job.ledger.find((one) => one.kind === 'vm' && one.state === 'present');
  if (entry === undefined) return null;
  const token = entry.token;
  if (typeof token === 'object' && token !== null && 'id' in token && typeof token.id === 'string') {
    return token.id.slice(0, 255);
  }
  return entry.name;
}
