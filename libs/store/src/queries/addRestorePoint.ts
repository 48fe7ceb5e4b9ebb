import type { BackupType, SourceFormat, SourcePlatform } from '@ascend/domain';
import { asc, eq } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { backupDisks, backupJobs, vmBackupContexts } from '../schema/index.ts';
import { ensureContext, refreshContext, requireRepository } from './catalogueContexts.ts';
import { fitId, idInRepository, newBackupId, newContextId } from './catalogueIds.ts';
import { runTransaction } from '../session.ts';

/** One disk that is registered by hand. */
export interface AddedDisk {
  /** Relative to the repository root; null for a disk that is no file. */
  readonly path: string | null;
  /** Reference of a disk that is no file, e.g. a snapshot id. */
  readonly sourceRef?: string;
  readonly format: SourceFormat;
  readonly virtualSizeBytes: number | null;
  readonly fileSizeBytes: number | null;
}

/** A restore point that is registered by hand. */
export interface AddRestorePointParams {
  readonly repositoryId: string;
  readonly vmName: string;
  /** In disk order: the first is disk 0. */
  readonly disks: readonly AddedDisk[];
  readonly createdAtMs: number;
  /** Default full. */
  readonly backupType?: Exclude<BackupType, 'differential'>;
  /** Default unknown; set only when the VM is new to the catalogue. */
  readonly sourcePlatform?: SourcePlatform;
}

const bytesPerGb = 1024 ** 3;

/** What tells two registrations apart: which images, in which order. */
function imagesOf(
  disks: readonly { readonly path: string | null; readonly sourceRef?: string | null }[],
): string {
  return JSON.stringify(disks.map((disk) => [disk.path, disk.sourceRef ?? null]));
}

/** The id for the new backup, and whether the same images are registered under it already. */
async function chooseId(tx: Session, params: AddRestorePointParams, contextId: string) {
  const base = newBackupId(params.vmName, new Date(params.createdAtMs));
  const wanted = imagesOf(params.disks);
  const candidates = [base, idInRepository(base, params.repositoryId)];
  for (let round = 2; ; round += 1) {
    const id = candidates.shift() ?? fitId(`${base}-${round}`);
    const [row] = await tx.orm
      .select({ contextId: backupJobs.vmBackupContextId })
      .from(backupJobs)
      .where(eq(backupJobs.id, id));
    if (row === undefined) return { id, exists: false };
    if (row.contextId !== contextId) continue;
    const disks = await tx.orm
      .select({ path: backupDisks.qcow2Path, sourceRef: backupDisks.sourceRef })
      .from(backupDisks)
      .where(eq(backupDisks.backupJobId, id))
      .orderBy(asc(backupDisks.diskIndex));
    if (imagesOf(disks) === wanted) return { id, exists: true };
  }
}

/**
 * Registers images of one moment as a restore point and returns its id. Registering the same images of the same moment
 * again returns the same id.
 *
 * @throws {AppError} CATALOG_REPOSITORY_UNKNOWN
 */
export const addRestorePoint = query(
  'add restore point',
  async (session, params: AddRestorePointParams): Promise<string> =>
    runTransaction(session, async (tx) => {
      const { repositoryId, vmName, disks, sourcePlatform } = params;
      await requireRepository(tx, repositoryId, 'add restore point');
      const at = new Date(params.createdAtMs);
      const context = await ensureContext(tx, {
        vmName,
        repositoryId,
        wantedId: newContextId(vmName, at),
        provenance: 'added',
      });
      const { contextId } = context;
      const { id, exists } = await chooseId(tx, params, contextId);
      if (exists) return id;
      await tx.orm.insert(backupJobs).values({
        id,
        vmBackupContextId: contextId,
        vmName,
        backupType: params.backupType ?? 'full',
        status: 'completed',
        repositoryId,
        provenance: 'added',
        createdAt: at,
        completedAt: at,
      });
      await tx.orm.insert(backupDisks).values(
        disks.map((disk, diskIndex) => ({
          vmBackupContextId: contextId,
          backupJobId: id,
          diskIndex,
          sizeGb: disk.virtualSizeBytes === null ? null : Math.ceil(disk.virtualSizeBytes / bytesPerGb),
          qcow2Path: disk.path,
          sourceRef: disk.sourceRef ?? null,
          sourceFormat: disk.format,
          fileSizeBytes: disk.fileSizeBytes,
          status: 'completed' as const,
          completedAt: at,
        })),
      );
      if (context.provenance === 'added') {
        await refreshContext(tx, contextId);
        if (sourcePlatform !== undefined && context.sourcePlatform === 'unknown') {
          await tx.orm
            .update(vmBackupContexts)
            .set({ sourcePlatform })
            .where(eq(vmBackupContexts.contextId, contextId));
        }
      }
      return id;
    }),
);
