import { chown } from 'node:fs/promises';
import { exportFuse, imageBlockdev, type DiskImage } from '@ascend/disk';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { hostSandboxCommand, insidePaths, runsAsRoot, unprivilegedUid } from './hostSandbox.ts';

/** Where one file system lies on its disk. */
export interface VolumePlace {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** One volume of a disk as a writable file of this machine. */
export interface VolumeExport {
  readonly volumePath: string;
  /** Flushes and waits until the server is gone. Idempotent. */
  close(): Promise<void>;
}

/** Lets the user of the sandbox read and write an exported file; nothing to do where this process is that user. */
export async function giveToUnprivileged(path: string): Promise<void> {
  if (!runsAsRoot()) return;
  try {
    await chown(path, unprivilegedUid, unprivilegedUid);
  } catch (cause) {
    const message = 'export volume: the file cannot be given to the unprivileged user';
    throw new AppError({ code: 'GUEST_EXECUTOR_UNAVAILABLE', message, cause });
  }
}

/**
 * Exports one volume of the top overlay for writing, and only that: the rest of the disk cannot be reached through it.
 *
 * @throws {AppError} DISK_* - the overlay cannot be opened for writing
 */
export async function exportVolume(params: {
  readonly image: DiskImage;
  readonly volume: VolumePlace;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<VolumeExport> {
  const { image, volume, workDir, signal } = params;
  const exported = await exportFuse({
    blockdev: imageBlockdev(image, { readOnly: false }),
    writable: true,
    workDir,
    offsetBytes: volume.offsetBytes,
    sizeBytes: volume.sizeBytes,
    allowOther: runsAsRoot(),
    signal,
  });
  try {
    await giveToUnprivileged(exported.filePath);
  } catch (cause) {
    await exported.close();
    throw cause;
  }
  return { volumePath: exported.filePath, close: () => exported.close() };
}

async function runE2fsck(volumePath: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const command = await hostSandboxCommand({ purpose: 'tool', volumePath }, [
    'e2fsck',
    ...args,
    insidePaths.volume,
  ]);
  // 1: errors were corrected; 2: the same, and a mounted system would have to reboot.
  try {
    await runProcess({ ...command, okExitCodes: [0, 1, 2], signal });
  } catch (cause) {
    if (signal.aborted || !isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    throw new AppError({
      code: 'GUEST_FILE_SYSTEM_CORRUPT',
      message: `check root file system: e2fsck ${args.join(' ')}: exit code ${String(cause.details['exitCode'])}`,
      details: { stderrTail: String(cause.details['stderrTail'] ?? '') },
      cause,
    });
  }
}

/** Puts the changes of the journal in place: what a kernel would do at mount. @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT */
export async function replayExportedJournal(volumePath: string, signal: AbortSignal): Promise<void> {
  await runE2fsck(volumePath, ['-p', '-E', 'journal_only'], signal);
}

/** Checks and repairs what can be repaired without asking; also corrects free counts. @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT */
export async function checkExportedVolume(volumePath: string, signal: AbortSignal): Promise<void> {
  await runE2fsck(volumePath, ['-p', '-f'], signal);
}
