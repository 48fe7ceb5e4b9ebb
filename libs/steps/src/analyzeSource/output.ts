import { z } from 'zod';
import { timingShape, type StepTiming } from '../timing.ts';

/** What analyze-source saw: the restore point is the one that was planned. */
export interface AnalyzeSourceOutput extends StepTiming {
  readonly fingerprint: string;
  readonly disks: readonly {
    readonly diskIndex: number;
    readonly virtualSizeBytes: number;
    readonly layerCount: number;
  }[];
  readonly remarks: readonly string[];
}

/** Checks the output when it is read by a later step. */
export const analyzeSourceOutputSchema: z.ZodType<AnalyzeSourceOutput> = z.object({
  ...timingShape,
  fingerprint: z.string(),
  disks: z.array(z.object({ diskIndex: z.number(), virtualSizeBytes: z.number(), layerCount: z.number() })),
  remarks: z.array(z.string()),
});
