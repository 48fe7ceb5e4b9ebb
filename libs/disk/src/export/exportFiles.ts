import { link, rename, rm, stat, unlink } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import { changeFile } from '../fileErrors.ts';
import { syncFolderOf } from '../durableFile.ts';

/** The files of one export, all beside each other. */
export interface ExportFiles {
  /** Holds the disk when all is done, nothing before. */
  readonly finalPath: string;
  /** A complete disk that is not yet verified. */
  readonly stagedPath: string;
  /** What is being written. */
  readonly partialPath: string;
  readonly checkpointPath: string;
}

/** Names derived from the final one, so that the next attempt finds what this one left. */
export function exportFiles(finalPath: string): ExportFiles {
  const stagedPath = `${finalPath}.unpublished`;
  return {
    finalPath,
    stagedPath,
    partialPath: `${stagedPath}.partial`,
    checkpointPath: `${finalPath}.ascend-resume.json`,
  };
}

/** What tells one file from another of the same name, and how far it reaches; null when there is none. */
export interface FileIdentity {
  /** Device, inode and time of birth: kept by a rename, new for a new file, which may get the inode of one that was removed. */
  readonly identity: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
}

/** Looks at a file; null when nothing has this name. */
export async function identify(filePath: string): Promise<FileIdentity | null> {
  const facts = await stat(filePath, { bigint: true }).catch(() => null);
  if (facts === null) return null;
  // Where the file system keeps no time of birth, the system puts the time of the last change there, which does not identify anything.
  const birth = facts.birthtimeNs === facts.ctimeNs ? '' : String(facts.birthtimeNs);
  return {
    identity: `${facts.dev}:${facts.ino}:${birth}`,
    sizeBytes: Number(facts.size),
    allocatedBytes: Number(facts.blocks) * 512,
  };
}

/** The refusal to write over a file. */
export function existsError(finalPath: string): AppError {
  return new AppError({
    code: 'DISK_TARGET_EXISTS',
    message: `export to ${finalPath}: something of that name is there already`,
    details: { file: finalPath },
  });
}

// A file system without hard links says one of these (FAT, some network shares).
const noLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Gives a complete and durable file its final name. Never replaces a file, even one that appeared a moment ago: a hard link refuses
 * that, a rename does not.
 *
 * @throws {AppError} DISK_TARGET_EXISTS, DISK_IO_FAILED, DISK_FILE_MISSING
 */
export async function publishStaged(files: ExportFiles): Promise<void> {
  const { stagedPath, finalPath } = files;
  await changeFile('publish', finalPath, async () => {
    try {
      await link(stagedPath, finalPath);
      await unlink(stagedPath);
    } catch (cause) {
      const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
      if (errno === 'EEXIST') throw existsError(finalPath);
      if (!noLinks.has(errno)) throw cause;
      if ((await identify(finalPath)) !== null) throw existsError(finalPath);
      await rename(stagedPath, finalPath);
    }
    await syncFolderOf(finalPath);
  });
}

/** Forgets how far an earlier attempt had come, durably. Idempotent. @throws {AppError} DISK_IO_FAILED */
export async function removeCheckpoint(files: ExportFiles): Promise<void> {
  await changeFile('remove', files.checkpointPath, async () => {
    await rm(files.checkpointPath, { force: true });
    await syncFolderOf(files.checkpointPath);
  });
}

/** Removes everything of an export but its final file. Idempotent. @throws {AppError} DISK_IO_FAILED */
export async function removeLeftovers(files: ExportFiles): Promise<void> {
  // The checkpoint first: it must never name bytes that are gone.
  for (const filePath of [files.checkpointPath, files.partialPath, files.stagedPath]) {
    await changeFile('remove', filePath, () => rm(filePath, { force: true }));
  }
}
