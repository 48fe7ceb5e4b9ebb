import type { SourcePlatform } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { and, eq, inArray, notInArray, or, sql } from 'drizzle-orm';
import { query, type Database, type Session } from '../database.ts';
import {
  backupChains,
  backupDisks,
  backupJobs,
  backupRepositories,
  restoreJobs,
  vmBackupContexts,
} from '../schema/index.ts';
import type { ContextRow } from './catalogueContexts.ts';
import { endStates } from './jobRows.ts';
import type { CatalogueChange } from './scanned.ts';
import {
  readSourceCatalogue,
  type SourceContext,
  type SourceDisk,
  type SourceJob,
  type SourceVm,
} from './sourceCatalogue.ts';
import { runTransaction } from '../session.ts';

/** Where to copy from and how its words map to ours. */
export interface SyncParams {
  /** The other database; a read-only account is enough. */
  readonly source: Database;
  /** Repository id there → repository id here; one that is not named keeps its id. */
  readonly repositories: Readonly<Record<string, string>>;
  /** Which platform a VM was backed up from, as its context tells. Default: unknown. */
  readonly platformOf?: (context: SourceContext) => SourcePlatform;
}

/** What a synchronisation changed: rows that are new or different, backups that are gone. */
export interface SyncResult extends CatalogueChange {
  /** Running restores whose backup, and with it their row, went away. Their ledger and report are still there. */
  readonly endedJobs: readonly string[];
}

interface Tally {
  contexts: number;
  backups: number;
  disks: number;
  removed: number;
  endedJobs: string[];
}

type Values = Readonly<Record<string, unknown>>;

/** True when a stored row already says everything that `values` says. */
function isSame(row: Values, values: Values): boolean {
  return Object.entries(values).every(([key, value]) => {
    const stored = row[key];
    if (value instanceof Date) return stored instanceof Date && stored.getTime() === value.getTime();
    return stored === value;
  });
}

async function ensureRepository(tx: Session, id: string | null): Promise<void> {
  if (id === null) return;
  await tx.orm
    .insert(backupRepositories)
    .values({ id, name: id })
    .onDuplicateKeyUpdate({ set: { id: sql`${backupRepositories.id}` } });
}

/** Our row of a source context: the one with its id, else the one of the same VM in the same repository. */
async function findContext(tx: Session, context: SourceContext, repositoryId: string | null) {
  const rows = await tx.orm
    .select()
    .from(vmBackupContexts)
    .where(
      or(
        eq(vmBackupContexts.contextId, context.contextId),
        repositoryId === null
          ? undefined
          : and(eq(vmBackupContexts.vmName, context.vmName), eq(vmBackupContexts.repositoryId, repositoryId)),
      ),
    )
    .for('update');
  return rows.find((row) => row.contextId === context.contextId) ?? rows[0];
}

async function syncContext(
  tx: Session,
  context: SourceContext,
  repositoryId: string | null,
  params: SyncParams,
  tally: Tally,
): Promise<string> {
  await ensureRepository(tx, repositoryId);
  const { contextId: sourceId, ...rest } = context;
  const values = {
    ...rest,
    repositoryId,
    sourcePlatform: params.platformOf?.(context) ?? ('unknown' as const),
    provenance: 'sync' as const,
  };
  const row: ContextRow | undefined = await findContext(tx, context, repositoryId);
  if (row?.provenance === 'database') return row.contextId;
  if (row === undefined) {
    await tx.orm.insert(vmBackupContexts).values({ contextId: sourceId, ...values });
  } else if (!isSame(row, values)) {
    await tx.orm.update(vmBackupContexts).set(values).where(eq(vmBackupContexts.contextId, row.contextId));
  } else {
    return row.contextId;
  }
  tally.contexts += 1;
  return row?.contextId ?? sourceId;
}

/** Returns the ids whose rows are the synchronisation's to write. */
async function syncJobs(
  tx: Session,
  jobs: readonly SourceJob[],
  context: { readonly contextId: string; readonly vmName: string },
  repositoryOf: (id: string | null) => string | null,
  tally: Tally,
): Promise<readonly string[]> {
  const ids = jobs.map((job) => job.id);
  const known =
    ids.length === 0 ? [] : await tx.orm.select().from(backupJobs).where(inArray(backupJobs.id, ids));
  const byId = new Map(known.map((row) => [row.id, row]));
  const own: string[] = [];
  for (const job of jobs) {
    const values = {
      vmBackupContextId: context.contextId,
      vmName: job.vmName ?? context.vmName,
      backupType: job.backupType,
      status: job.status,
      repositoryId: repositoryOf(job.repositoryId),
      createdAt: job.createdAt,
      completedAt: job.completedAt,
      provenance: 'sync' as const,
    };
    const row = byId.get(job.id);
    if (row?.provenance === 'database' || row?.provenance === 'added') continue;
    own.push(job.id);
    if (row !== undefined && isSame(row, values)) continue;
    await tx.orm
      .insert(backupJobs)
      .values({ id: job.id, ...values })
      .onDuplicateKeyUpdate({ set: values });
    tally.backups += 1;
  }
  return own;
}

function diskKey(disk: { readonly backupJobId: string; readonly diskIndex: number }): string {
  return `${disk.backupJobId}:${disk.diskIndex}`;
}

async function syncDisks(
  tx: Session,
  disks: readonly SourceDisk[],
  jobIds: readonly string[],
  contextId: string,
  tally: Tally,
): Promise<void> {
  if (jobIds.length === 0) return;
  const known = await tx.orm
    .select()
    .from(backupDisks)
    .where(inArray(backupDisks.backupJobId, [...jobIds]));
  const byKey = new Map(known.map((row) => [diskKey(row), row]));
  for (const disk of disks) {
    const { backupJobId, diskIndex, ...rest } = disk;
    const values = {
      vmBackupContextId: contextId,
      vmwareDiskKey: rest.vmwareDiskKey,
      sizeGb: rest.sizeGb,
      unitNumber: rest.unitNumber,
      diskChangeId: rest.diskChangeId,
      qcow2Path: rest.qcow2Path,
      bytesTransferred: rest.bytesTransferred,
      status: rest.status,
      errorMessage: rest.errorMessage,
      completedAt: rest.completedAt,
    };
    const row = byKey.get(diskKey(disk));
    byKey.delete(diskKey(disk));
    if (row !== undefined && isSame(row, values)) continue;
    await tx.orm
      .insert(backupDisks)
      .values({ backupJobId, diskIndex, ...values })
      .onDuplicateKeyUpdate({ set: values });
    tally.disks += 1;
  }
  const gone = [...byKey.values()].map((row) => row.id);
  if (gone.length > 0) await tx.orm.delete(backupDisks).where(inArray(backupDisks.id, gone));
}

async function syncChains(tx: Session, vm: SourceVm, contextId: string): Promise<void> {
  for (const chain of vm.chains) {
    const { fullBackupId, latestBackupId, totalBackups, totalSizeBytes } = chain;
    const values = { fullBackupId, latestBackupId, totalBackups, totalSizeBytes };
    await tx.orm
      .insert(backupChains)
      .values({ id: chain.id, vmContextId: contextId, diskId: chain.diskId, ...values })
      .onDuplicateKeyUpdate({ set: values });
  }
  const diskIds = vm.chains.map((chain) => chain.diskId);
  await tx.orm
    .delete(backupChains)
    .where(
      and(
        eq(backupChains.vmContextId, contextId),
        diskIds.length === 0 ? undefined : notInArray(backupChains.diskId, diskIds),
      ),
    );
}

/** Deletes backups and counts the restores that run on them; the cascades take disks, mounts and restore rows along. */
async function removeBackups(tx: Session, ids: readonly string[], tally: Tally): Promise<void> {
  if (ids.length === 0) return;
  const running = await tx.orm
    .select({ id: restoreJobs.id })
    .from(restoreJobs)
    .where(and(inArray(restoreJobs.backupJobId, [...ids]), notInArray(restoreJobs.state, [...endStates])));
  tally.endedJobs.push(...running.map((row) => row.id));
  await tx.orm.delete(backupJobs).where(inArray(backupJobs.id, [...ids]));
  tally.removed += ids.length;
}

/** Backups that an earlier synchronisation brought and that are gone there; and scanned ones that the database tells too. */
async function staleBackups(tx: Session, vm: SourceVm, contextId: string): Promise<readonly string[]> {
  const rows = await tx.orm
    .select({ id: backupJobs.id, provenance: backupJobs.provenance, path: backupDisks.qcow2Path })
    .from(backupJobs)
    .leftJoin(backupDisks, eq(backupDisks.backupJobId, backupJobs.id))
    .where(
      and(eq(backupJobs.vmBackupContextId, contextId), inArray(backupJobs.provenance, ['sync', 'scan'])),
    );
  const live = new Set(vm.jobs.map((job) => job.id));
  const told = vm.disks.flatMap((disk) => (disk.qcow2Path === null ? [] : [disk.qcow2Path]));
  const isTold = (path: string | null): boolean =>
    path !== null && told.some((one) => one === path || one.endsWith(`/${path}`));
  const stale = [...Map.groupBy(rows, (row) => row.id)].filter(
    ([id, disks]) =>
      !live.has(id) && (disks[0]?.provenance === 'sync' || disks.every((disk) => isTold(disk.path))),
  );
  return stale.map(([id]) => id);
}

async function syncVm(tx: Session, vm: SourceVm, params: SyncParams, tally: Tally): Promise<string> {
  const repositoryOf = (id: string | null): string | null =>
    id === null || id === '' ? null : (params.repositories[id] ?? id);
  const repositoryId = repositoryOf(vm.context.repositoryId);
  const contextId = await syncContext(tx, vm.context, repositoryId, params, tally);
  const context = { contextId, vmName: vm.context.vmName };
  const own = new Set(await syncJobs(tx, vm.jobs, context, repositoryOf, tally));
  const disks = vm.disks.filter((disk) => own.has(disk.backupJobId));
  await syncDisks(tx, disks, [...own], contextId, tally);
  await removeBackups(tx, await staleBackups(tx, vm, contextId), tally);
  await syncChains(tx, vm, contextId);
  return contextId;
}

/** VMs that are gone there: their synchronised backups go, and the VM with them when it has no others. */
async function removeGoneVms(session: Session, seen: readonly string[], tally: Tally): Promise<void> {
  const contexts = await session.orm
    .select({ contextId: vmBackupContexts.contextId })
    .from(vmBackupContexts)
    .where(and(eq(vmBackupContexts.provenance, 'sync'), notInArray(vmBackupContexts.contextId, [...seen])));
  for (const { contextId } of contexts) {
    await runTransaction(session, async (tx) => {
      const jobs = await tx.orm
        .select({ id: backupJobs.id, provenance: backupJobs.provenance })
        .from(backupJobs)
        .where(eq(backupJobs.vmBackupContextId, contextId));
      const gone = jobs.filter((job) => job.provenance === 'sync').map((job) => job.id);
      await removeBackups(tx, gone, tally);
      const mine = eq(vmBackupContexts.contextId, contextId);
      if (gone.length === jobs.length) await tx.orm.delete(vmBackupContexts).where(mine);
      else await tx.orm.update(vmBackupContexts).set({ provenance: 'scan' }).where(mine);
    });
  }
}

/**
 * Copies another product's catalogue database into ours: only rows that are new or different are written, what is gone
 * there is removed here. Backups without a VM context are left out. Rows that were written into our own tables by a
 * backup product, or added by hand, are never touched. Ledger, audit and reports survive every removal.
 *
 * @throws {AppError} CATALOG_SOURCE_UNREADABLE, STORE_UNAVAILABLE
 * @throws {AppError} CATALOG_SOURCE_EMPTY - it lists no VM although an earlier synchronisation found some
 */
export const syncFrom = query(
  'synchronise catalogue',
  async (session, params: SyncParams): Promise<SyncResult> => {
    const seen: string[] = [];
    const total: Tally = { contexts: 0, backups: 0, disks: 0, removed: 0, endedJobs: [] };
    for await (const vm of readSourceCatalogue(params.source)) {
      // A transaction may run again after a deadlock, so it counts into a tally of its own.
      const done = await runTransaction(session, async (tx) => {
        const tally: Tally = { contexts: 0, backups: 0, disks: 0, removed: 0, endedJobs: [] };
        return { contextId: await syncVm(tx, vm, params, tally), tally };
      });
      seen.push(done.contextId);
      total.contexts += done.tally.contexts;
      total.backups += done.tally.backups;
      total.disks += done.tally.disks;
      total.removed += done.tally.removed;
      total.endedJobs.push(...done.tally.endedJobs);
    }
    if (seen.length === 0) {
      const [known] = await session.orm
        .select({ id: vmBackupContexts.contextId })
        .from(vmBackupContexts)
        .where(eq(vmBackupContexts.provenance, 'sync'))
        .limit(1);
      if (known === undefined) return total;
      throw new AppError({
        code: 'CATALOG_SOURCE_EMPTY',
        message: 'synchronise catalogue: the source lists no VM, nothing removed here',
      });
    }
    await removeGoneVms(session, seen, total);
    return total;
  },
);
