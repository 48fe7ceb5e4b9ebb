import { platformIds } from '@ascend/domain';
import { z } from 'zod';
import { findingSchema } from '../plan.ts';
import { snakeSchema } from './caseStyle.ts';
import { subjectIdSchema } from './estate.ts';

/** `POST targets`. Secrets are given apart and come back only as names. */
export const targetRequestSchema = z.strictObject({
  target_id: subjectIdSchema,
  name: z.string().min(1).max(255),
  platform: z.enum(platformIds),
  /** Platform's own connection settings; values under secret-looking keys are moved to `secrets`. */
  connection: z.record(z.string().max(100), z.unknown()),
  secrets: z.record(z.string().regex(/^[a-z0-9_]{1,64}$/), z.string().min(1).max(65_536)).default({}),
  /** Agents that may serve this target, in order of preference. */
  agent_ids: z.array(subjectIdSchema).max(64).default([]),
});

/** `PUT targets/{id}`: secrets that are not given stay as they are. */
export const targetUpdateSchema = targetRequestSchema.omit({ target_id: true, platform: true }).partial();

/** A configured platform endpoint. */
export const targetSchema = z
  .object({
    target_id: z.string(),
    name: z.string(),
    platform: z.string(),
    connection: z.record(z.string(), z.unknown()),
    secret_names: z.array(z.string()),
    agent_ids: z.array(z.string()),
    created_at: z.string().nullable(),
  })
  .meta({ id: 'Target' });

/** Answer of `GET targets`. */
export const targetListSchema = z.object({ targets: z.array(targetSchema) }).meta({ id: 'TargetList' });

/** Answer of `POST targets/{id}/check`. */
export const targetCheckSchema = z
  .object({ target_id: z.string(), ok: z.boolean(), findings: z.array(snakeSchema(findingSchema)) })
  .meta({ id: 'TargetCheck' });

/** Answer of `GET targets/{id}/inventory`. */
export const targetInventorySchema = z
  .object({
    target_id: z.string(),
    api_version: z.string(),
    storages: z.array(z.object({ name: z.string(), free_bytes: z.number(), total_bytes: z.number() })),
    networks: z.array(z.object({ name: z.string(), about: z.string() })),
    vm_names: z.array(z.string()),
    cpu_count: z.number(),
    memory_bytes: z.number(),
    acceleration: z.string(),
    fetched_at: z.string(),
  })
  .meta({ id: 'TargetInventory' });

/** A configured platform endpoint. */
export type Target = z.infer<typeof targetSchema>;
/** Answer of `POST targets/{id}/check`. */
export type TargetCheck = z.infer<typeof targetCheckSchema>;
/** Answer of `GET targets/{id}/inventory`. */
export type TargetInventory = z.infer<typeof targetInventorySchema>;
