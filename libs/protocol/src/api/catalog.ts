import { z } from 'zod';

const id = z.string().min(1).max(64);

/** `POST catalog/scan`: rebuild the catalogue from a repository folder. */
export const catalogScanRequestSchema = z.strictObject({
  repository_id: id,
  /** Which agent walks the folder; default: one that is online and has it. */
  agent_id: id.optional(),
});

/** Answer of `POST catalog/scan` and `POST catalog/sync`. */
export const catalogChangeSchema = z
  .object({
    contexts: z.number().int(),
    backups: z.number().int(),
    disks: z.number().int(),
    removed: z.number().int(),
    skipped: z.array(z.object({ path: z.string(), code: z.string(), reason: z.string() })),
    /** Of a scan: what was changed or is missing in VM descriptions beside the disks. */
    remarks: z.array(z.object({ path: z.string(), code: z.string(), reason: z.string() })),
  })
  .meta({ id: 'CatalogChange' });

/** `POST catalog/add`: register image files of one moment as a restore point. */
export const catalogAddRequestSchema = z.strictObject({
  repository_id: id,
  vm_name: z.string().min(1).max(255),
  agent_id: id.optional(),
  /** In disk order; relative to the repository's root. */
  disks: z
    .array(
      z.strictObject({
        path: z.string().min(1).max(512),
        format: z.enum(['qcow2', 'vhd', 'vhdx', 'vmdk', 'raw']).optional(),
      }),
    )
    .min(1)
    .max(64),
  /** ISO 8601 UTC; default: newest file's time. */
  created_at: z.iso.datetime().optional(),
});

/** Answer of `POST catalog/add`. */
export const catalogAddAnswerSchema = z.object({ backup_id: z.string() }).meta({ id: 'CatalogAddAnswer' });

/** `POST catalog/sync`: copy from an existing catalogue database, read-only there. */
export const catalogSyncRequestSchema = z.strictObject({
  /** `env:NAME` or `file:/path` that holds the database URL; it is read on the control plane and never stored. */
  source: z.string().regex(/^(env|file):.+$/),
  /** Repository id there → repository id here; what is not named keeps its id. */
  repositories: z.record(z.string(), z.string()).default({}),
});

/** Answer of `POST catalog/scan` and `POST catalog/sync`. */
export type CatalogChange = z.infer<typeof catalogChangeSchema>;
/** Body of `POST catalog/add`. */
export type CatalogAddRequest = z.infer<typeof catalogAddRequestSchema>;
