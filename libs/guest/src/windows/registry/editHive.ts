import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { hostSandboxCommand, insidePaths } from '../../apply/hostSandbox.ts';
import { giveToUnprivileged } from '../../apply/volumeExport.ts';
import type { HiveChange } from './diffHives.ts';
import { openHive } from './hive.ts';
import { toRegFile } from './regFile.ts';
import type { RegistryEdit } from './registryEdit.ts';
import { verifyRegistryEdits } from './verifyRegistryEdits.ts';

/** A hive after its edits. */
export interface EditedHive {
  readonly bytes: Buffer;
  /** What changed, read back by another program than wrote it. */
  readonly changes: readonly HiveChange[];
}

const editTimeoutMs = 120_000;

async function runHivex(path: string, regFile: string, signal: AbortSignal): Promise<void> {
  const command = await hostSandboxCommand({ purpose: 'tool', volumePath: path }, [
    'hivexregedit',
    '--merge',
    insidePaths.volume,
  ]);
  try {
    await runProcess({ ...command, input: regFile, timeoutMs: editTimeoutMs, signal });
  } catch (cause) {
    if (signal.aborted || !isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    const tail = String(cause.details['stderrTail'] ?? '');
    throw new AppError({
      code: 'GUEST_EDIT_FAILED',
      message: `edit registry hive: hivexregedit: exit code ${String(cause.details['exitCode'])}: ${tail.trim().split('\n')[0] ?? ''}`,
      details: { stderrTail: tail },
      cause,
    });
  }
}

/**
 * Makes the edits of one hive on a copy, by hivex as `nobody` in the sandbox, and reads the copy back with this project's
 * own reader. The result is whole or there is none: the caller's bytes never change. Edits that hold already change nothing.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT - the hive cannot be read
 * @throws {AppError} GUEST_EDIT_FAILED - a name cannot be written, or the tool refused
 * @throws {AppError} GUEST_VERIFY_FAILED - not exactly the edits were made (details: problems)
 * @throws {AppError} OPERATION_CANCELLED, PROCESS_NOT_FOUND, PROCESS_STALLED
 */
export async function editHive(params: {
  /** A hive without pending logs (`recoverHive`). */
  readonly bytes: Buffer;
  readonly edits: readonly RegistryEdit[];
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<EditedHive> {
  const { bytes, edits, workDir, signal } = params;
  const before = openHive(bytes);
  const regFile = toRegFile(before, edits);
  const folder = await mkdtemp(join(workDir, 'hive-'));
  try {
    const path = join(folder, 'hive');
    await writeFile(path, bytes, { mode: 0o600 });
    await giveToUnprivileged(path);
    await runHivex(path, regFile, signal);
    const edited = await readFile(path);
    const { problems, changes } = verifyRegistryEdits({ before, after: openHive(edited), edits });
    if (problems.length > 0) {
      throw new AppError({
        code: 'GUEST_VERIFY_FAILED',
        message: `edit registry hive: ${problems.length} of ${edits.length} edits do not hold: ${problems[0] ?? ''}`,
        details: { problems: problems.slice(0, 20) },
      });
    }
    return { bytes: edited, changes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
