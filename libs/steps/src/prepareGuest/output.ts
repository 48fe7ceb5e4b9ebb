import type { Finding } from '@ascend/domain';
import { findingSchema } from '@ascend/protocol';
import { z } from 'zod';
import { timingShape, type StepTiming } from '../timing.ts';

/** The sealed overlays with the guest edits, and what was changed. */
export interface PrepareGuestOutput extends StepTiming {
  /** Names this sealing: a transfer that began with another one starts again. */
  readonly sealId: string;
  /** Disk index → absolute path on the agent that made it (D9). */
  readonly overlays: Readonly<Record<string, string>>;
  readonly diff: readonly { readonly path: string; readonly change: string }[];
  readonly findings: readonly Finding[];
  /** The system that was found, for the report. */
  readonly system: string;
}

/** Checks the output when it is read by a later step. */
export const prepareGuestOutputSchema: z.ZodType<PrepareGuestOutput> = z.object({
  ...timingShape,
  sealId: z.string(),
  overlays: z.record(z.string().regex(/^\d{1,4}$/), z.string()),
  diff: z.array(z.object({ path: z.string(), change: z.string() })),
  findings: z.array(findingSchema),
  system: z.string(),
});
