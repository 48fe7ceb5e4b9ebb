import { z } from 'zod';
import { findingSchema } from '../plan.ts';
import { snakeSchema } from './caseStyle.ts';

/** One field of a request that has the wrong form. */
export const fieldProblemSchema = z.object({
  /** Dotted path inside the body, query or path, e.g. `policy.boot_timeout_ms`. */
  field: z.string(),
  message: z.string(),
});

/** One plan input that is not what it was when the plan was made. */
export const planChangeSchema = z.object({
  input: z.string(),
  planned: z.string().nullable(),
  now: z.string().nullable(),
});

/** Every error of the API: an RFC 9457 problem document with our code, hint and evidence. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    hint: z.string(),
    /** Flat facts of the failure, units in the keys. */
    evidence: z.record(z.string(), z.unknown()),
    /** Fields that are wrong (API_INPUT_INVALID). */
    errors: z.array(fieldProblemSchema).optional(),
    /** Findings that forbid the start (PLAN_BLOCKED). */
    findings: z.array(snakeSchema(findingSchema)).optional(),
    /** What changed since the plan was made (PLAN_STALE). */
    changes: z.array(planChangeSchema).optional(),
  })
  .meta({ id: 'Problem' });

/** A problem document. */
export type Problem = z.infer<typeof problemSchema>;
