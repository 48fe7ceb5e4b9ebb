import { basename } from 'node:path';
import type {
  RestorePoint,
  ScannedBackup,
  ScannedContext,
  ScannedImage,
  ScannedRepository,
  SourcePlatform,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';

/** What the operator said about which restore point is wanted. */
export interface BackupChoice {
  readonly vm: string | undefined;
  /** Backup id, its time stamp, or `latest`. */
  readonly backup: string | undefined;
}

const gib = 1024 ** 3;

function toRestorePoint(
  context: ScannedContext,
  backup: ScannedBackup,
  platform: SourcePlatform,
): RestorePoint {
  return {
    backupId: backup.backupId,
    contextId: context.contextId,
    vmName: context.vmName,
    repositoryId: 'local',
    backupType: backup.backupType,
    status: 'completed',
    sourcePlatform: platform,
    createdAt: backup.createdAt,
    disks: backup.disks.map(({ diskIndex, image }) => ({
      diskIndex,
      vmwareDiskKey: null,
      sizeGb: Math.ceil(image.virtualSizeBytes / gib),
      path: image.relPath,
      format: image.format,
      status: 'completed' as const,
    })),
  };
}

function chooseContext(scan: ScannedRepository, choice: BackupChoice): ScannedContext {
  const named = scan.contexts.filter((one) => choice.vm === undefined || one.vmName === choice.vm);
  const holding = named.filter(
    (one) =>
      choice.backup === undefined ||
      choice.backup === 'latest' ||
      findBackup(one, choice.backup) !== undefined,
  );
  const [only, ...others] = holding;
  if (only !== undefined && others.length === 0) return only;
  const candidates = (holding.length > 0 ? holding : scan.contexts).map(
    (one) => `${one.vmName} (${one.contextId})`,
  );
  throw new AppError({
    code: holding.length > 1 ? 'CLI_BACKUP_AMBIGUOUS' : 'CLI_BACKUP_NOT_FOUND',
    message:
      holding.length > 1
        ? `choose restore point: ${holding.length} VMs in this folder match`
        : 'choose restore point: nothing in this folder matches',
    details: { candidates, skipped: scan.skipped.map((one) => `${one.relPath}: ${one.reason}`).slice(0, 20) },
  });
}

function findBackup(context: ScannedContext, wanted: string): ScannedBackup | undefined {
  return context.backups.find((one) => one.backupId === wanted || one.backupId.endsWith(`-${wanted}`));
}

/**
 * Picks one restore point of a scanned folder: the only VM unless named, the newest point unless named.
 *
 * @throws {AppError} CLI_BACKUP_NOT_FOUND, CLI_BACKUP_AMBIGUOUS - details list the candidates
 */
export function chooseBackup(
  scan: ScannedRepository,
  choice: BackupChoice,
): { readonly point: RestorePoint; readonly context: ScannedContext } {
  const context = chooseContext(scan, choice);
  const newest = context.backups.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)).at(-1);
  const wanted =
    choice.backup === undefined || choice.backup === 'latest' ? newest : findBackup(context, choice.backup);
  if (wanted === undefined) {
    throw new AppError({
      code: 'CLI_BACKUP_NOT_FOUND',
      message: `choose restore point: ${context.vmName} has none`,
    });
  }
  return { point: toRestorePoint(context, wanted, 'unknown'), context };
}

/** A restore point made of single files given by hand, in disk order. */
export function pointOfFiles(vmName: string | undefined, images: readonly ScannedImage[]): RestorePoint {
  const name = vmName ?? basename(images[0]?.relPath ?? 'vm').replace(/\.[^.]+$/, '');
  const context = { contextId: `local-${name}`, vmName: name, backups: [], sidecars: [], vmSpec: null };
  const backup: ScannedBackup = {
    backupId: `local-${name}`,
    backupType: images.some((image) => image.backingRelPath !== null) ? 'incremental' : 'full',
    createdAt: new Date(Math.max(...images.map((image) => image.mtimeMs))).toISOString(),
    disks: images.map((image, diskIndex) => ({ diskIndex, image })),
  };
  return toRestorePoint(context, backup, 'unknown');
}
