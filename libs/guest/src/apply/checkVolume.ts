import { AppError, isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { hostSandboxCommand, insidePaths } from './hostSandbox.ts';

interface Checker {
  readonly program: string;
  readonly args: readonly string[];
  /** Exit codes that mean a file system in order. */
  readonly okExitCodes: readonly number[];
}

// e2fsck 1: errors were corrected; 2: the same, and a mounted system would have to reboot.
const extCheck: Checker = { program: 'e2fsck', args: ['-p', '-f'], okExitCodes: [0, 1, 2] };
const extJournal: Checker = {
  program: 'e2fsck',
  args: ['-p', '-E', 'journal_only'],
  okExitCodes: [0, 1, 2],
};
/** The kernel closed these two cleanly; looking is enough. */
const checkers: Readonly<Record<string, Checker>> = {
  ext2: extCheck,
  ext3: extCheck,
  ext4: extCheck,
  xfs: { program: 'xfs_repair', args: ['-n'], okExitCodes: [0] },
  btrfs: { program: 'btrfs', args: ['check', '--readonly'], okExitCodes: [0] },
};

async function runChecker(volumePath: string, checker: Checker, signal: AbortSignal): Promise<void> {
  const { program, args, okExitCodes } = checker;
  const command = await hostSandboxCommand({ purpose: 'tool', volumePath }, [
    program,
    ...args,
    insidePaths.volume,
  ]);
  try {
    await runProcess({ ...command, okExitCodes, signal });
  } catch (cause) {
    if (signal.aborted || !isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    throw new AppError({
      code: 'GUEST_FILE_SYSTEM_CORRUPT',
      message: `check file system: ${program} ${args.join(' ')}: exit code ${String(cause.details['exitCode'])}`,
      details: { stderrTail: String(cause.details['stderrTail'] ?? '') },
      cause,
    });
  }
}

/**
 * Puts the changes of an ext journal in place: what a kernel would do at mount. Nothing to do for other file systems,
 * which the kernel mounts.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT
 */
export async function replayExportedJournal(
  volumePath: string,
  fileSystem: string,
  signal: AbortSignal,
): Promise<void> {
  if (fileSystem.startsWith('ext')) await runChecker(volumePath, extJournal, signal);
}

/**
 * Checks the file system of an exported volume. ext is repaired where that needs no question, which also corrects free
 * counts; the others are only looked at.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT
 */
export async function checkExportedVolume(
  volumePath: string,
  fileSystem: string,
  signal: AbortSignal,
): Promise<void> {
  const checker = checkers[fileSystem];
  if (checker !== undefined) await runChecker(volumePath, checker, signal);
}
