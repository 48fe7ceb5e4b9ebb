import type { StepProgress } from '@ascend/domain';
import {
  errorSchema,
  progressMessageSchema,
  type LedgerRowAnswer,
  type Restore,
  type RestoreStep,
  type RestoreSummary,
} from '@ascend/protocol';
import type { z } from 'zod';
import type { JobSummary, LedgerRow, RestoreRows, StepRow } from '@ascend/store';
import { presentProgress } from '../events/restoreStream.ts';
import { presentRestoreBandwidth } from './bandwidth.ts';
import { presentTimeOrNull } from './time.ts';

/** One line of `GET restores`: every column of `restore_jobs` by its name, then the engine's state. */
export function presentRestoreSummary(row: JobSummary): RestoreSummary {
  return {
    id: row.id,
    backup_job_id: row.backupJobId,
    source_platform: row.sourcePlatform,
    target_platform: row.targetPlatform,
    restore_type: row.restoreType,
    status: row.status,
    target_config: row.targetConfig,
    progress_percent: row.progressPercent ?? 0,
    estimated_completion: presentTimeOrNull(row.estimatedCompletion),
    error_message: row.errorMessage,
    target_vm_id: row.targetVmId,
    target_vm_name: row.targetVmName,
    created_at: presentTimeOrNull(row.createdAt),
    started_at: presentTimeOrNull(row.startedAt),
    completed_at: presentTimeOrNull(row.completedAt),
    state: row.state,
    plan_id: row.planId,
    cancel_requested: row.cancelRequested,
    rollback_requested: row.rollbackRequested,
    pause_requested: row.pauseRequested,
  };
}

function presentError(stored: unknown): Restore['error'] {
  const parsed = errorSchema.safeParse(stored);
  return parsed.success ? parsed.data : null;
}

/** The step's output without its pictures: those are in the report. */
function withoutPictures(output: unknown): unknown {
  if (typeof output !== 'object' || output === null || Array.isArray(output)) return output;
  return Object.fromEntries(
    Object.entries(output).map(([key, value]) => [
      key,
      key === 'screenshotPng' && typeof value === 'string'
        ? `[${value.length} base64 characters, see the report]`
        : withoutPictures(value),
    ]),
  );
}

const progressSchema: z.ZodType<StepProgress> = progressMessageSchema.omit({
  v: true,
  jobId: true,
  opId: true,
});

function savedProgress(row: StepRow): StepProgress | undefined {
  const parsed = progressSchema.safeParse(row.progress);
  return parsed.success ? parsed.data : undefined;
}

function presentStep(row: StepRow, live: StepProgress | undefined): RestoreStep {
  const progress = live ?? savedProgress(row);
  return {
    id: row.id,
    restore_job_id: row.restoreJobId,
    step_name: row.stepName,
    step_order: row.stepOrder,
    status: row.status,
    started_at: presentTimeOrNull(row.startedAt),
    completed_at: presentTimeOrNull(row.completedAt),
    error_message: row.errorMessage,
    metadata: row.metadata,
    step_key: row.stepKey,
    kind: row.kind,
    disk_index: row.diskIndex,
    state: row.state,
    attempt: row.attempt,
    agent_id: row.agentId,
    not_before: row.notBeforeMs === 0 ? null : presentTimeOrNull(new Date(row.notBeforeMs)),
    error: presentError(row.error),
    output: withoutPictures(row.output),
    progress: progress === undefined ? null : presentProgress(progress),
  };
}

function presentLedgerRow(row: LedgerRow): LedgerRowAnswer {
  return {
    step_key: row.stepKey,
    resource_key: row.resourceKey,
    kind: row.kind,
    name: row.name,
    state: row.state,
  };
}

function sumOf(steps: readonly RestoreStep[], field: 'bytes_done' | 'bytes_total'): number {
  return steps
    .filter((step) => step.kind === 'transfer-disk')
    .reduce((sum, step) => sum + (step.progress?.[field] ?? 0), 0);
}

/** `GET restores/{id}`; `live` holds counters that are newer than the rows. */
export function presentRestore(rows: RestoreRows, live: ReadonlyMap<string, StepProgress>): Restore {
  const { plan: _, ...summary } = rows.job;
  const steps = rows.steps.map((step) => presentStep(step, live.get(step.stepKey)));
  return {
    ...presentRestoreSummary(summary),
    error: presentError(rows.job.error),
    bytes_done: sumOf(steps, 'bytes_done'),
    bytes_total: sumOf(steps, 'bytes_total'),
    bandwidth: presentRestoreBandwidth(rows),
    steps,
    ledger: rows.ledger.map(presentLedgerRow),
    last_event_seq: rows.job.lastEventSeq,
  };
}
