import { z } from 'zod';
import { hostCapabilitiesSchema } from '../event.ts';
import { agentBandwidthSchema } from './bandwidth.ts';
import { snakeSchema } from './caseStyle.ts';

/** An id that may stand in a bus subject. */
export const subjectIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'use a-z, 0-9, - and _, at most 63 characters');

const name = z.string().min(1).max(255);

/** A repository with its root folder on each agent that has it. */
export const repositorySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.string(),
    site_id: z.string().nullable(),
    roots: z.array(z.object({ agent_id: z.string(), root_path: z.string() })),
  })
  .meta({ id: 'Repository' });

/** `POST repositories`. */
export const repositoryRequestSchema = z.strictObject({
  id: subjectIdSchema,
  name,
  type: z.enum(['local', 'nfs', 'smb', 'block', 's3']).default('local'),
  site_id: subjectIdSchema.nullable().default(null),
  roots: z
    .array(
      z.strictObject({
        agent_id: subjectIdSchema,
        root_path: z
          .string()
          .regex(/^\/.*$/, 'must be an absolute path')
          .max(512),
      }),
    )
    .max(256)
    .default([]),
});

/** `PUT repositories/{id}`. */
export const repositoryUpdateSchema = repositoryRequestSchema.omit({ id: true });

/** Answer of `GET repositories`. */
export const repositoryListSchema = z
  .object({ repositories: z.array(repositorySchema) })
  .meta({ id: 'RepositoryList' });

/** A place with agents. */
export const siteSchema = z.object({ site_id: z.string(), name: z.string() }).meta({ id: 'Site' });

/** `POST sites`. */
export const siteRequestSchema = z.strictObject({ site_id: subjectIdSchema, name });

/** Answer of `GET sites`. */
export const siteListSchema = z.object({ sites: z.array(siteSchema) }).meta({ id: 'SiteList' });

/** An agent as the API shows it. */
export const agentSchema = z
  .object({
    agent_id: z.string(),
    site_id: z.string(),
    version: z.string(),
    online: z.boolean(),
    revoked: z.boolean(),
    last_seen_at: z.string().nullable(),
    capabilities: snakeSchema(hostCapabilitiesSchema).nullable(),
    /** Repository id → root path on this agent. */
    repositories: z.record(z.string(), z.string()),
    /** Targets it may serve. */
    targets: z.array(z.string()),
    /** Cap of all its transfers together. */
    bandwidth: agentBandwidthSchema,
  })
  .meta({ id: 'Agent' });

/** Answer of `GET agents`. */
export const agentListSchema = z.object({ agents: z.array(agentSchema) }).meta({ id: 'AgentList' });

/** `POST enrollment-tokens`: a one-time token for one agent of a site. */
export const enrollmentTokenRequestSchema = z.strictObject({
  site_id: subjectIdSchema,
  /** Seconds; default 15 minutes. */
  ttl_seconds: z.number().int().min(60).max(86_400).default(900),
});

/** Answer of `POST enrollment-tokens`: the only time the token is shown. */
export const enrollmentTokenSchema = z
  .object({ id: z.string(), token: z.string(), site_id: z.string(), expires_at: z.string() })
  .meta({ id: 'EnrollmentToken' });

/** Answer of `GET repositories`. */
export type RepositoryList = z.infer<typeof repositoryListSchema>;
/** A repository with its roots. */
export type Repository = z.infer<typeof repositorySchema>;
/** An agent as the API shows it. */
export type Agent = z.infer<typeof agentSchema>;
/** A site as the API shows it. */
export type Site = z.infer<typeof siteSchema>;
/** Answer of `POST enrollment-tokens`. */
export type EnrollmentToken = z.infer<typeof enrollmentTokenSchema>;
