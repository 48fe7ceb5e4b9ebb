import { z } from 'zod';

/** Answer of `GET health`: the process lives. */
export const healthSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });

/** Answer of `GET ready`: what the control plane needs, one by one. Status 503 when one is missing. */
export const readinessSchema = z
  .object({
    ready: z.boolean(),
    checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
  })
  .meta({ id: 'Readiness' });

/** Answer of `GET ready`. */
export type Readiness = z.infer<typeof readinessSchema>;
