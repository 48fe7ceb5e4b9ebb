import { AppError, isAppError, type ErrorDetails } from './appError.ts';
import { isErrorCode } from './codes.ts';

/** An error as it crosses the bus, the API or a row: no stack, no secret. */
export interface SerializedError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details: ErrorDetails;
  /** Messages of the cause chain, nearest first. */
  readonly causes: readonly string[];
}

/** Turns any AppError into its wire form. */
export function serializeError(error: AppError): SerializedError {
  const causes: string[] = [];
  let cause: unknown = error.cause;
  while (cause instanceof Error && causes.length < 8) {
    causes.push(cause.message);
    cause = cause.cause;
  }
  return { code: error.code, message: error.message, hint: error.hint, details: error.details, causes };
}

/** Rebuilds an AppError on the other side; a code this version does not know becomes INTERNAL_BUG with the code in the message. */
export function deserializeError(wire: SerializedError): AppError {
  const known = isErrorCode(wire.code);
  const cause = wire.causes.reduceRight<Error | undefined>(
    (inner, message) => new Error(message, inner === undefined ? undefined : { cause: inner }),
    undefined,
  );
  return new AppError({
    code: known ? wire.code : 'INTERNAL_BUG',
    message: known ? wire.message : `${wire.code}: ${wire.message}`,
    hint: wire.hint,
    details: wire.details,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** True when the error, or any error below it, carries the code. */
export function hasCode(error: unknown, code: string): boolean {
  return isAppError(error) && error.code === code;
}
