import type { BootReport } from '@ascend/domain';
import { z } from 'zod';
import { bootReportSchema } from '../bootProof.ts';
import { timingShape, type StepTiming } from '../timing.ts';

/** What a rehearsal or a start showed. */
export interface BootOutput extends StepTiming {
  readonly report: BootReport;
}

/** Checks the output when it is read by a later step. */
export const bootOutputSchema: z.ZodType<BootOutput> = z.object({ ...timingShape, report: bootReportSchema });
