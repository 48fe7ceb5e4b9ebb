import { AppError, isAppError } from '@ascend/errors';
import type { CopyEfiFileEdit } from '../edits/guestEdit.ts';
import { mtools } from './mtools.ts';

/** True when the file is on the EFI system partition. @throws {AppError} PROCESS_NOT_FOUND, OPERATION_CANCELLED */
export async function hasEfiFile(volumePath: string, path: string, signal: AbortSignal): Promise<boolean> {
  const { exitCode } = await mtools(volumePath, ['mdir', '-b', `::/${path}`], {
    okExitCodes: [0, 1],
    signal,
  });
  return exitCode === 0;
}

/** Names of programs and their folders that are ours to deal with; anything else on the partition is left alone. */
const programName = /^::\/(EFI\/[\w .-]{1,64}\/[\w .-]{1,64}\.efi)$/i;
const maxPrograms = 200;

/**
 * Boot programs on an exported EFI system partition as `EFI/<folder>/<name>.efi`, in the spelling found there; at most 200. Empty when it
 * cannot be read: not a FAT file system, or without the folder `EFI`.
 *
 * @throws {AppError} PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function listEfiPrograms(volumePath: string, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await mtools(volumePath, ['mdir', '-b', '-/', '::/EFI'], {
    okExitCodes: [0, 1],
    signal,
  });
  const names = stdout.split('\n').map((line) => programName.exec(line.trim())?.[1]);
  return names.filter((name) => name !== undefined).slice(0, maxPrograms);
}

/** Makes the folders that lead to a file, where they are not there. @throws {AppError} PROCESS_*, OPERATION_CANCELLED */
export async function makeFolders(volumePath: string, path: string, signal: AbortSignal): Promise<void> {
  const folders = path.split('/').slice(0, -1);
  for (let count = 1; count <= folders.length; count += 1) {
    const folder = folders.slice(0, count).join('/');
    if (await hasEfiFile(volumePath, folder, signal)) continue;
    await mtools(volumePath, ['mmd', `::/${folder}`], { okExitCodes: [0], signal });
  }
}

/**
 * Copies a file of an exported EFI system partition to a second name there, by mtools in the sandbox. Idempotent.
 *
 * @throws {AppError} GUEST_EDIT_FAILED - not a FAT file system, no space, or the file is not there
 */
export async function copyEfiFile(
  volumePath: string,
  edit: CopyEfiFileEdit,
  signal: AbortSignal,
): Promise<void> {
  try {
    await makeFolders(volumePath, edit.to, signal);
    await mtools(volumePath, ['mcopy', '-o', `::/${edit.from}`, `::/${edit.to}`], {
      okExitCodes: [0],
      signal,
    });
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    throw new AppError({
      code: 'GUEST_EDIT_FAILED',
      message: `copy ${edit.from} to ${edit.to}: ${cause.message}`,
      cause,
    });
  }
}
