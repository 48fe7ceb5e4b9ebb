import type { VmRef } from '@ascend/connector';
import { z } from 'zod';
import { timingShape, type StepTiming } from '../timing.ts';

/** The VM on the target. */
export interface CreateVmOutput extends StepTiming {
  readonly vm: VmRef;
}

/** The reference of a VM as it comes back from storage. */
export const vmRefSchema: z.ZodType<VmRef> = z.object({
  id: z.string(),
  name: z.string(),
  token: z.unknown(),
});

/** Checks the output when it is read by a later step. */
export const createVmOutputSchema: z.ZodType<CreateVmOutput> = z.object({ ...timingShape, vm: vmRefSchema });
