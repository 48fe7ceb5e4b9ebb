import { findingSchema } from '@ascend/protocol';
import type { Finding } from '@ascend/domain';
import { z } from 'zod';
import { timingShape, type StepTiming } from '../timing.ts';

/** What the target had to say; no finding of it is blocked. */
export interface ValidateTargetOutput extends StepTiming {
  readonly findings: readonly Finding[];
}

/** Checks the output when it is read by a later step. */
export const validateTargetOutputSchema: z.ZodType<ValidateTargetOutput> = z.object({
  ...timingShape,
  findings: z.array(findingSchema),
});
