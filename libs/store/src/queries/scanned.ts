import type { ScannedBackup, ScannedContext, ScannedDisk, ScannedRepository } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { and, eq, inArray, ne, notInArray, sql } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { backupDisks, backupJobs, restoreJobs } from '../schema/index.ts';
import { ensureContext, refreshContext, requireRepository } from './catalogueContexts.ts';
import { idInRepository } from './catalogueIds.ts';
import { endStates } from './jobRows.ts';
import { runTransaction } from '../session.ts';
import { putSidecarSpec } from './vmSpecs.ts';

/** What changed in the catalogue, in rows that are new or were brought up to date; `removed` counts backups. */
export interface CatalogueChange {
  readonly contexts: number;
  readonly backups: number;
  readonly disks: number;
  readonly removed: number;
}

const bytesPerGb = 1024 ** 3;

/** True when a recorded path, absolute somewhere else or relative, names the file at `relPath` of the repository. */
function namesFile(recorded: string, relPath: string): boolean {
  return recorded === relPath || recorded.endsWith(`/${relPath}`);
}

interface ForeignDisk {
  readonly backupId: string;
  readonly path: string | null;
}

/** Disks of a context that came from elsewhere than a scan: what a database or an operator told is not told again. */
async function foreignDisks(tx: Session, contextId: string): Promise<readonly ForeignDisk[]> {
  return tx.orm
    .select({ backupId: backupJobs.id, path: backupDisks.qcow2Path })
    .from(backupDisks)
    .innerJoin(backupJobs, eq(backupJobs.id, backupDisks.backupJobId))
    .where(and(eq(backupJobs.vmBackupContextId, contextId), ne(backupJobs.provenance, 'scan')));
}

function diskColumns(disk: ScannedDisk, completedAt: Date) {
  const { image } = disk;
  return {
    qcow2Path: image.relPath,
    sizeGb: Math.ceil(image.virtualSizeBytes / bytesPerGb),
    status: 'completed' as const,
    sourceFormat: image.format,
    fileSizeBytes: image.fileSizeBytes,
    completedAt,
  };
}

async function putDisks(tx: Session, backupId: string, contextId: string, backup: ScannedBackup) {
  const at = new Date(backup.createdAt);
  for (const disk of backup.disks) {
    const values = diskColumns(disk, at);
    // The row keeps its id: mounts refer to it.
    await tx.orm
      .insert(backupDisks)
      .values({
        vmBackupContextId: contextId,
        backupJobId: backupId,
        diskIndex: disk.diskIndex,
        ...values,
      })
      .onDuplicateKeyUpdate({ set: values });
  }
  const indexes = backup.disks.map((disk) => disk.diskIndex);
  await tx.orm
    .delete(backupDisks)
    .where(and(eq(backupDisks.backupJobId, backupId), notInArray(backupDisks.diskIndex, indexes)));
}

/** The id under which a scanned backup is stored; null when its row is not ours to write. */
async function ownId(tx: Session, wantedId: string, contextId: string, repositoryId: string) {
  for (const id of [wantedId, idInRepository(wantedId, repositoryId)]) {
    const [row] = await tx.orm
      .select({ contextId: backupJobs.vmBackupContextId, provenance: backupJobs.provenance })
      .from(backupJobs)
      .where(eq(backupJobs.id, id));
    if (row === undefined) return id;
    if (row.contextId === contextId) return row.provenance === 'scan' ? id : null;
  }
  return null;
}

async function putBackup(
  tx: Session,
  backup: ScannedBackup,
  context: { readonly contextId: string; readonly vmName: string; readonly repositoryId: string },
): Promise<string | null> {
  const { contextId, vmName, repositoryId } = context;
  const id = await ownId(tx, backup.backupId, contextId, repositoryId);
  if (id === null || backup.disks.length === 0) return null;
  const at = new Date(backup.createdAt);
  const values = {
    backupType: backup.backupType,
    status: 'completed' as const,
    createdAt: at,
    completedAt: at,
  };
  await tx.orm
    .insert(backupJobs)
    .values({ id, vmBackupContextId: contextId, vmName, repositoryId, provenance: 'scan', ...values })
    .onDuplicateKeyUpdate({ set: values });
  await putDisks(tx, id, contextId, backup);
  return id;
}

interface PutResult {
  readonly contextId: string;
  readonly backupIds: readonly string[];
  readonly disks: number;
}

async function putContext(tx: Session, scanned: ScannedContext, repositoryId: string): Promise<PutResult> {
  const { vmName } = scanned;
  const row = await ensureContext(tx, {
    vmName,
    repositoryId,
    wantedId: scanned.contextId,
    provenance: 'scan',
  });
  const foreign = await foreignDisks(tx, row.contextId);
  const toldBy = (backup: ScannedBackup): readonly string[] =>
    foreign
      .filter(({ path }) => backup.disks.some((disk) => path !== null && namesFile(path, disk.image.relPath)))
      .map((disk) => disk.backupId);
  const backupIds: string[] = [];
  const toldIds: string[] = [];
  let disks = 0;
  for (const backup of scanned.backups) {
    const told = toldBy(backup);
    toldIds.push(...told);
    if (told.length > 0) continue;
    const id = await putBackup(tx, backup, { contextId: row.contextId, vmName, repositoryId });
    if (id === null) continue;
    backupIds.push(id);
    disks += backup.disks.length;
  }
  if (row.provenance === 'scan') await refreshContext(tx, row.contextId);
  if (scanned.vmSpec !== null) {
    const described = { backupIds: [...new Set([...backupIds, ...toldIds])], spec: scanned.vmSpec };
    await putSidecarSpec(tx, { ...described, sourcePlatform: row.sourcePlatform });
  }
  return { contextId: row.contextId, backupIds, disks };
}

/** Takes out what an earlier scan of this repository found and this one did not; backups in use by a restore stay. */
async function removeMissing(tx: Session, repositoryId: string, seen: readonly string[]): Promise<number> {
  const inUse = tx.orm
    .select({ id: restoreJobs.backupJobId })
    .from(restoreJobs)
    .where(notInArray(restoreJobs.state, [...endStates]));
  const gone = await tx.orm
    .select({ id: backupJobs.id, contextId: backupJobs.vmBackupContextId })
    .from(backupJobs)
    .where(
      and(
        eq(backupJobs.repositoryId, repositoryId),
        eq(backupJobs.provenance, 'scan'),
        notInArray(backupJobs.id, [...seen]),
        sql`${backupJobs.id} NOT IN ${inUse}`,
      ),
    );
  if (gone.length === 0) return 0;
  await tx.orm.delete(backupJobs).where(
    inArray(
      backupJobs.id,
      gone.map((row) => row.id),
    ),
  );
  for (const contextId of new Set(gone.map((row) => row.contextId))) {
    if (contextId !== null) await refreshContext(tx, contextId);
  }
  return gone.length;
}

/**
 * Takes the result of a repository scan into the catalogue. Scanning twice changes nothing; rows that came from a
 * database or were added by hand are never touched, and a file they name is not listed a second time. A folder that was
 * copied to another repository gets ids of its own there. A VM's sidecar becomes the specification of every backup of the
 * folder, whoever told the backup, unless a platform or an operator told one.
 *
 * @throws {AppError} CATALOG_REPOSITORY_UNKNOWN
 * @throws {AppError} CATALOG_SCAN_EMPTY - nothing found, but `removeMissing` was asked for and there are backups
 */
export const upsertScanned = query(
  'store scan',
  async (
    session,
    params: {
      readonly scan: ScannedRepository;
      readonly repositoryId: string;
      /** Also take out what an earlier scan found and this one did not. Default false. */
      readonly removeMissing?: boolean;
    },
  ): Promise<CatalogueChange> => {
    const { scan, repositoryId } = params;
    await requireRepository(session, repositoryId, 'store scan');
    const put: PutResult[] = [];
    // One transaction per VM: a repository of thousands must not lock the catalogue for minutes.
    for (const scanned of scan.contexts) {
      put.push(await runTransaction(session, (tx) => putContext(tx, scanned, repositoryId)));
    }
    const seen = put.flatMap((one) => one.backupIds);
    let removed = 0;
    if (params.removeMissing === true) {
      if (scan.contexts.length === 0) {
        throw new AppError({
          code: 'CATALOG_SCAN_EMPTY',
          message: `store scan: nothing found in repository ${repositoryId}, nothing removed`,
          details: { repositoryId },
        });
      }
      removed = await runTransaction(session, (tx) => removeMissing(tx, repositoryId, seen));
    }
    return {
      contexts: put.length,
      backups: seen.length,
      disks: put.reduce((sum, one) => sum + one.disks, 0),
      removed,
    };
  },
);
