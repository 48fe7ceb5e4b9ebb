import { AppError, isAppError, type ErrorCode } from '@ascend/errors';

const fullErrnos = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const missingErrnos = new Set(['ENOENT', 'ENOTDIR']);

function systemError(operation: string, label: string, cause: unknown, fallback: ErrorCode): AppError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  const missing = missingErrnos.has(errno);
  return new AppError({
    code: missing ? 'DISK_FILE_MISSING' : fullErrnos.has(errno) ? 'DISK_SPACE_EXHAUSTED' : fallback,
    message: `${operation} ${label}: ${missing ? 'it is not there' : `the system says ${errno}`}`,
    details: { file: label, errno },
    cause,
  });
}

/** The coded error for a failed system call on a file that is only read: DISK_FILE_MISSING or DISK_FILE_UNREADABLE. */
export function readError(operation: string, label: string, cause: unknown): AppError {
  return systemError(operation, label, cause, 'DISK_FILE_UNREADABLE');
}

/**
 * Runs system calls that make, change or remove a file of ours.
 *
 * @throws {AppError} DISK_SPACE_EXHAUSTED, DISK_FILE_MISSING, DISK_IO_FAILED; an AppError of `run` passes unchanged
 */
export async function changeFile<T>(operation: string, label: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw isAppError(cause) ? cause : systemError(operation, label, cause, 'DISK_IO_FAILED');
  }
}
