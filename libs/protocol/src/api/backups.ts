import { z } from 'zod';
import { vmSpecSchema } from '../plan.ts';
import { snakeSchema } from './caseStyle.ts';

const backupType = z.enum(['full', 'incremental', 'differential']);
const backupStatus = z.enum(['pending', 'running', 'completed', 'failed', 'cancelled']);

/** `GET backups`: filters. */
export const backupListQuerySchema = z.object({
  vm_name: z.string().min(1).max(255).optional(),
  status: backupStatus.optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});

/** One line of `GET backups`, field names as existing callers know them. */
export const backupListItemSchema = z.object({
  backup_id: z.string(),
  vm_name: z.string(),
  backup_type: backupType,
  status: backupStatus,
  created_at: z.string().nullable(),
  disk_results: z.array(z.object({ disk_id: z.number().int(), qcow2_path: z.string() })),
});

/** Answer of `GET backups`. */
export const backupListSchema = z
  .object({ backups: z.array(backupListItemSchema) })
  .meta({ id: 'BackupList' });

/** `GET backups/chain`: which chain. Several VMs of one name need `repository_id` or `backup_id`. */
export const chainQuerySchema = z.object({
  vm_name: z.string().min(1).max(255).optional(),
  disk_index: z.coerce.number().int().min(0).max(4096).optional(),
  repository_id: z.string().min(1).max(64).optional(),
  backup_id: z.string().min(1).max(64).optional(),
});

/** Answer of `GET backups/chain`. `id` names the image of this disk, `backup_id` the restore point it belongs to. */
export const chainSchema = z
  .object({
    chain_id: z.string(),
    full_backup_id: z.string().nullable(),
    backups: z.array(
      z.object({
        id: z.string(),
        type: backupType,
        size_bytes: z.number().int(),
        backup_id: z.string(),
      }),
    ),
    total_backups: z.number().int(),
    total_size_bytes: z.number().int(),
  })
  .meta({ id: 'BackupChain' });

/** One disk of a backup. */
export const backupDiskSchema = z.object({
  disk_index: z.number().int(),
  vmware_disk_key: z.number().int().nullable(),
  size_gb: z.number().int().nullable(),
  qcow2_path: z.string().nullable(),
  status: z.enum(['pending', 'running', 'completed', 'failed']),
});

/** Answer of `GET backups/{id}/disks`. */
export const backupDisksSchema = z
  .object({ backup_id: z.string(), disks: z.array(backupDiskSchema) })
  .meta({ id: 'BackupDisks' });

/** Answer of `GET backups/{id}`. */
export const backupSchema = z
  .object({
    backup_id: z.string(),
    context_id: z.string(),
    vm_name: z.string(),
    repository_id: z.string().nullable(),
    backup_type: backupType,
    status: backupStatus,
    created_at: z.string().nullable(),
    completed_at: z.string().nullable(),
    error_message: z.string().nullable(),
    source_platform: z.string(),
    has_vm_spec: z.boolean(),
    disks: z.array(backupDiskSchema.extend({ source_format: z.string() })),
  })
  .meta({ id: 'Backup' });

/** The VM specification in API form: `PUT backups/{id}/spec`. */
export const apiVmSpecSchema = snakeSchema(vmSpecSchema);

/** Answer of `GET` and `PUT backups/{id}/spec`. */
export const backupSpecSchema = z
  .object({ backup_id: z.string(), provenance: z.string(), spec: apiVmSpecSchema })
  .meta({ id: 'BackupSpec' });

/** Answer of `GET backups`. */
export type BackupList = z.infer<typeof backupListSchema>;
/** Answer of `GET backups/chain`. */
export type BackupChain = z.infer<typeof chainSchema>;
/** Answer of `GET backups/{id}/disks`. */
export type BackupDisks = z.infer<typeof backupDisksSchema>;
/** Answer of `GET backups/{id}`. */
export type Backup = z.infer<typeof backupSchema>;
/** Answer of `GET backups/{id}/spec`. */
export type BackupSpec = z.infer<typeof backupSpecSchema>;
