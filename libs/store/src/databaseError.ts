import { AppError, isAppError, toAppError } from '@ascend/errors';
import { DrizzleQueryError } from 'drizzle-orm';

/** Server error numbers that the queries tell apart. */
export const errno = {
  lockWaitTimeout: 1205,
  deadlock: 1213,
  duplicateKey: 1062,
  parentMissing: 1452,
  hasChildren: 1451,
  dataTooLong: 1406,
  outOfRange: 1264,
  dataTruncated: 1265,
  wrongValue: 1366,
  nullRefused: 1048,
} as const;

interface DriverError extends Error {
  readonly errno?: number;
  readonly code?: string;
  readonly sqlMessage?: string;
}

// The driver gives this one no code.
const poolClosed = 'Pool is closed.';

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'PROTOCOL_CONNECTION_LOST',
  'ER_CON_COUNT_ERROR',
  'ER_SERVER_SHUTDOWN',
  'ER_ACCESS_DENIED_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
  'ER_BAD_DB_ERROR',
]);

/** What the query builder wrapped. Its own message lists the statement with all values: it must never get out. */
function unwrapped(error: unknown): unknown {
  let current = error;
  while (current instanceof DrizzleQueryError) current = current.cause ?? new Error('query failed');
  return current;
}

function driverError(error: unknown): DriverError | undefined {
  const inner = unwrapped(error);
  if (!(inner instanceof Error) || isAppError(inner)) return undefined;
  const candidate: DriverError = inner;
  const isDrivers = candidate.errno !== undefined || candidate.code !== undefined;
  return isDrivers || inner.message === poolClosed ? candidate : undefined;
}

/** True when the server refused the statement for this reason. */
export function isServerError(error: unknown, reason: keyof typeof errno): boolean {
  return driverError(error)?.errno === errno[reason];
}

/** True for a deadlock or an ended lock wait: the same transaction may be tried again. */
export function isRetryable(error: unknown): boolean {
  return isServerError(error, 'deadlock') || isServerError(error, 'lockWaitTimeout');
}

const lostCodes = new Set(['ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST']);

/** True when an open connection turned out to be closed. */
export function isConnectionLost(error: unknown): boolean {
  return lostCodes.has(driverError(error)?.code ?? '');
}

const valueProblems = new Set<number>([
  errno.dataTooLong,
  errno.outOfRange,
  errno.dataTruncated,
  errno.wrongValue,
  errno.nullRefused,
]);

/** Turns whatever a query threw into an AppError. Neither statement nor values are kept, only the server's sentence. */
export function toStoreError(error: unknown, operation: string): AppError {
  if (isAppError(error)) return error;
  const inner = unwrapped(error);
  if (isAppError(inner)) return inner;
  const found = driverError(inner);
  if (found === undefined) return toAppError(inner, operation);
  const said = found.sqlMessage ?? found.message;
  const details = { driverCode: found.code ?? null, errno: found.errno ?? null };
  if (isRetryable(found)) {
    return new AppError({ code: 'STORE_BUSY', message: `${operation}: ${said}`, details });
  }
  if (networkCodes.has(found.code ?? '') || found.message === poolClosed) {
    return new AppError({ code: 'STORE_UNAVAILABLE', message: `${operation}: ${said}`, details });
  }
  if (valueProblems.has(found.errno ?? 0)) {
    return new AppError({ code: 'STORE_VALUE_REFUSED', message: `${operation}: ${said}`, details });
  }
  return new AppError({ code: 'STORE_QUERY_FAILED', message: `${operation}: ${said}`, details });
}
