import { stepKinds, type LedgerEntry } from '@ascend/domain';
import { z } from 'zod';
import { bandwidthCapSchema } from './bandwidth.ts';
import { planSchema } from './plan.ts';

/** One ledger row as it crosses the bus. */
export const ledgerEntrySchema: z.ZodType<LedgerEntry> = z.object({
  jobId: z.string(),
  stepKey: z.string(),
  resourceKey: z.string(),
  targetId: z.string(),
  kind: z.enum(['overlay', 'disk', 'vm']),
  name: z.string(),
  token: z.unknown(),
  state: z.enum(['intended', 'present', 'deleting', 'gone', 'abandoned']),
  undoOrder: z.number(),
  opId: z.string().nullable(),
});

/**
 * A step command: run one attempt of a step, or undo one resource of it. The target's connection is in it without
 * secrets; those are asked for by reference while the step runs (D18).
 */
export const stepCommandSchema = z.object({
  v: z.literal(1),
  opId: z.string(),
  jobId: z.string(),
  stepKey: z.string(),
  kind: z.enum(stepKinds),
  mode: z.enum(['run', 'undo']),
  /** Only for `undo`: the resource to remove. */
  resourceKey: z.string().nullable(),
  attempt: z.number().int(),
  epoch: z.number().int(),
  /** Latest start, ms since the epoch (D15). */
  deadlineMs: z.number(),
  plan: planSchema,
  outputs: z.record(z.string(), z.unknown()),
  checkpoint: z.unknown(),
  ledger: z.array(ledgerEntrySchema),
  target: z.object({
    targetId: z.string(),
    platform: z.string(),
    connection: z.record(z.string(), z.unknown()),
  }),
  /** The cap that an operator set for the restore's disk streams, as of dispatch; absent = the plan's policy counts. */
  bandwidth: bandwidthCapSchema.optional(),
});

/** A step command after validation. */
export type StepCommand = z.infer<typeof stepCommandSchema>;

/** Core message to a running agent. */
export const controlMessageSchema = z.object({
  v: z.literal(1),
  type: z.literal('cancel'),
  opId: z.string(),
});

/** A control message after validation. */
export type ControlMessage = z.infer<typeof controlMessageSchema>;
