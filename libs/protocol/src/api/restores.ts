import { z } from 'zod';
import { errorSchema } from '../event.ts';
import { partialPolicySchema, planSchema } from '../plan.ts';
import { restoreBandwidthSchema } from './bandwidth.ts';
import { snakeSchema } from './caseStyle.ts';

const id = z.string().min(1).max(64);

/** The operator's wishes in API form; every field optional. */
export const apiPolicySchema = snakeSchema(partialPolicySchema);

/** `POST restores/plan`. */
export const planRequestSchema = z.strictObject({
  backup_id: id,
  target_id: id,
  policy: apiPolicySchema.default({}),
});

/** A plan in API form: answer of `POST restores/plan`, and what `--plan FILE` gives back. */
export const apiPlanSchema = snakeSchema(planSchema);

/** `POST restores`: a stored plan by id, or a whole plan as it was answered. Both are computed anew and compared. */
export const restoreRequestSchema = z.union([
  z.strictObject({ plan_id: id }),
  z.strictObject({ plan: apiPlanSchema }),
]);

/** `POST restores/{id}/retry`. */
export const retryRequestSchema = z.strictObject({
  /** Succeeded steps to do again with all that depend on them, by step key. */
  redo: z.array(z.string().max(64)).max(64).default([]),
});

/** `POST restores/{id}/cancel`. */
export const cancelRequestSchema = z.strictObject({
  /** Also remove what was created. */
  rollback: z.boolean().default(false),
});

const seedStatus = z.enum([
  'pending',
  'converting',
  'uploading',
  'creating',
  'completed',
  'failed',
  'cancelled',
  'rolled_back',
  'paused',
  'awaiting_approval',
]);

/** Last counters of a step with the rate that follows from them. */
export const stepProgressSchema = z.object({
  step_key: z.string(),
  phase: z.string(),
  bytes_done: z.number(),
  bytes_total: z.number(),
  bytes_skipped: z.number(),
  /** ms since the epoch at the agent. */
  at_ms: z.number(),
});

/** One step of a restore: every column of `restore_steps` by its name, then what the engine knows. */
export const restoreStepSchema = z.object({
  id: z.string(),
  restore_job_id: z.string(),
  step_name: z.string(),
  step_order: z.number().int(),
  status: z.string(),
  started_at: z.string().nullable(),
  completed_at: z.string().nullable(),
  error_message: z.string().nullable(),
  metadata: z.unknown(),
  step_key: z.string(),
  kind: z.string(),
  disk_index: z.number().int().nullable(),
  state: z.string(),
  attempt: z.number().int(),
  agent_id: z.string().nullable(),
  not_before: z.string().nullable(),
  error: errorSchema.nullable(),
  output: z.unknown(),
  progress: stepProgressSchema.nullable(),
});

/** A restore without its steps: every column of `restore_jobs` by its name, then the engine's state. */
export const restoreSummarySchema = z
  .object({
    id: z.string(),
    backup_job_id: z.string(),
    source_platform: z.string(),
    target_platform: z.string(),
    restore_type: z.enum(['full_vm', 'file_level']),
    status: seedStatus,
    target_config: z.unknown(),
    progress_percent: z.number(),
    estimated_completion: z.string().nullable(),
    error_message: z.string().nullable(),
    target_vm_id: z.string().nullable(),
    target_vm_name: z.string().nullable(),
    created_at: z.string().nullable(),
    started_at: z.string().nullable(),
    completed_at: z.string().nullable(),
    state: z.string(),
    plan_id: z.string().nullable(),
    cancel_requested: z.boolean(),
    rollback_requested: z.boolean(),
    pause_requested: z.boolean(),
  })
  .meta({ id: 'RestoreSummary' });

/** One resource a restore created or may have created on the target. */
export const ledgerRowSchema = z.object({
  step_key: z.string(),
  resource_key: z.string(),
  kind: z.string(),
  name: z.string(),
  state: z.string(),
});

/** Answer of `GET restores/{id}`. */
export const restoreSchema = restoreSummarySchema
  .extend({
    error: errorSchema.nullable(),
    bytes_done: z.number(),
    bytes_total: z.number(),
    bandwidth: restoreBandwidthSchema,
    steps: z.array(restoreStepSchema),
    ledger: z.array(ledgerRowSchema),
    /** Sequence number of the newest event; `GET restores/{id}/events` goes on from it. */
    last_event_seq: z.number().int(),
  })
  .meta({ id: 'Restore' });

/** `GET restores`: filters. */
export const restoreListQuerySchema = z.object({
  status: seedStatus.optional(),
  backup_id: id.optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});

/** Answer of `GET restores`. */
export const restoreListSchema = z
  .object({ restores: z.array(restoreSummarySchema) })
  .meta({ id: 'RestoreList' });

/** Answer of `GET restores/{id}/report`: planned and measured, findings, evidence. */
export const restoreReportSchema = z
  .object({
    restore: restoreSchema,
    plan: apiPlanSchema,
    /** Output of finalize; null until it ran. */
    report: z.unknown(),
  })
  .meta({ id: 'RestoreReport' });

/** One stored event of a restore, as SSE data; the SSE id is its `seq`. */
export const restoreEventSchema = z.object({
  seq: z.number().int(),
  type: z.string(),
  at: z.string(),
  data: z.unknown(),
});

/** A plan in API form. */
export type ApiPlan = z.infer<typeof apiPlanSchema>;
/** Answer of `GET restores/{id}`. */
export type Restore = z.infer<typeof restoreSchema>;
/** One step of a restore. */
export type RestoreStep = z.infer<typeof restoreStepSchema>;
/** One line of `GET restores`. */
export type RestoreSummary = z.infer<typeof restoreSummarySchema>;
/** Answer of `GET restores/{id}/report`. */
export type RestoreReport = z.infer<typeof restoreReportSchema>;
/** One stored event of a restore. */
export type RestoreEvent = z.infer<typeof restoreEventSchema>;
/** One resource of a restore on its target. */
export type LedgerRowAnswer = z.infer<typeof ledgerRowSchema>;
