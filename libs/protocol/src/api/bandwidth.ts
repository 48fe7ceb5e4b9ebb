import { z } from 'zod';
import { leastBandwidth } from '../bandwidth.ts';

const rate = z.number().nullable();

function request(least: number) {
  const message = `use ${least} bytes per second or more, or null for no cap`;
  return z.strictObject({
    /** null = no cap. */
    bytes_per_second: z.number().int().min(least, message).nullable(),
  });
}

/** `POST restores/{id}/bandwidth`: cap of each disk stream, from now on. */
export const restoreLimitRequestSchema = request(leastBandwidth.restore);

/** `PUT agents/{id}/bandwidth`: cap of all transfers of the agent together, from now on. */
export const agentLimitRequestSchema = request(leastBandwidth.agent);

/** The cap of a whole agent: what an operator set, else what its own settings say. */
export const agentBandwidthSchema = z.object({
  bytes_per_second: rate,
  source: z.enum(['operator', 'settings']),
});

/** The caps that hold for a restore: of each of its disk streams, and of the agents that move its disks. */
export const restoreBandwidthSchema = z.object({
  bytes_per_second: rate,
  source: z.enum(['operator', 'plan']),
  agents: z.array(agentBandwidthSchema.extend({ agent_id: z.string() })),
});

/** Answer of `PUT agents/{id}/bandwidth`. */
export const agentLimitSchema = z
  .object({
    agent_id: z.string(),
    bytes_per_second: rate,
    /** True = in effect now; false = the agent does not answer: in effect from its next hello. */
    applied: z.boolean(),
  })
  .meta({ id: 'AgentLimit' });

/** Answer of `POST restores/{id}/bandwidth`: per agent that moves its disks whether the cap is in effect there now. */
export const restoreLimitSchema = z
  .object({
    restore_id: z.string(),
    bytes_per_second: rate,
    agents: z.array(z.object({ agent_id: z.string(), applied: z.boolean() })),
  })
  .meta({ id: 'RestoreLimit' });

/** Cap of a whole agent as the API shows it. */
export type AgentBandwidth = z.infer<typeof agentBandwidthSchema>;
/** Caps of a restore as the API shows them. */
export type RestoreBandwidth = z.infer<typeof restoreBandwidthSchema>;
/** Answer of `PUT agents/{id}/bandwidth`. */
export type AgentLimit = z.infer<typeof agentLimitSchema>;
/** Answer of `POST restores/{id}/bandwidth`. */
export type RestoreLimit = z.infer<typeof restoreLimitSchema>;
