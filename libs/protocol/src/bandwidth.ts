import { z } from 'zod';

/** Least caps in bytes per second. Below them a single block of a disk would take minutes. */
export const leastBandwidth = {
  /** Each disk stream of a restore; the same as in a plan's policy. */
  restore: 1024,
  /** All transfers of an agent together. */
  agent: 64 * 1024,
} as const;

/** A bandwidth cap that an operator set. Of two caps for the same thing the one with the higher revision counts. */
export const bandwidthCapSchema = z.object({
  /** null = no cap, whatever plan or settings say. */
  bytesPerSecond: z.number().int().positive().nullable(),
  /** When it was set, ms since the epoch, and always above the one before. */
  revision: z.number().int().nonnegative(),
});

/** A bandwidth cap after validation. */
export type BandwidthCap = z.infer<typeof bandwidthCapSchema>;

/** Request to an agent: change a cap while transfers run. */
export const limitRequestSchema = z.object({
  /** The restore whose disk streams are capped, each by itself; null = the whole agent. */
  jobId: z.string().nullable(),
  cap: bandwidthCapSchema,
});

/** What an agent must know of caps; part of the answer to `hello`. */
export interface BandwidthOrders {
  /** null = nobody set one: the agent's own settings count. */
  readonly agent: BandwidthCap | null;
  /** Of the restores that run here, those whose cap was changed, by job id. */
  readonly jobs: Readonly<Record<string, BandwidthCap>>;
}
