import { AppError, isAppError, toAppError, type ErrorCode } from '@ascend/errors';

const byErrno: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'TARGET_DENIED',
  EPERM: 'TARGET_DENIED',
  EROFS: 'TARGET_DENIED',
  ENOSPC: 'TARGET_STORAGE_FULL',
  EDQUOT: 'TARGET_STORAGE_FULL',
  ENOENT: 'TARGET_UNREACHABLE',
  ENOTDIR: 'TARGET_UNREACHABLE',
  EIO: 'TARGET_UNREACHABLE',
  ESTALE: 'TARGET_UNREACHABLE',
};

/** The errno name of a file system error, else null. */
export function errnoOf(error: unknown): string | null {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : null;
  return typeof code === 'string' ? code : null;
}

/** Turns a file system error of this host into a coded one; AppErrors pass, all else is INTERNAL_BUG. */
export function toTargetError(error: unknown, operation: string): AppError {
  const errno = errnoOf(error);
  const code = errno === null ? undefined : byErrno[errno];
  if (isAppError(error) || code === undefined) return toAppError(error, operation);
  return new AppError({
    code,
    message: `${operation}: ${errno}`,
    details: { errno },
    cause: error,
  });
}

/** Awaits file system work and codes its errors. */
export async function coded<T>(operation: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toTargetError(error, operation);
  }
}

/** Stops before a call that creates or deletes once the signal has fired. @throws {AppError} OPERATION_CANCELLED */
export function assertNotCancelled(signal: AbortSignal, operation: string): void {
  if (!signal.aborted) return;
  throw new AppError({ code: 'OPERATION_CANCELLED', message: `${operation}: cancelled` });
}
