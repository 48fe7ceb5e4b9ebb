import { categoryTraits, type ErrorCategory, type RetryAdvice } from './category.ts';
import { codeRow, type ErrorCode } from './codes.ts';
import { printable } from './printable.ts';

// Two copies of this module may be loaded (bundle + source), so errors are recognised by brand, not instanceof.
const brand = Symbol.for('ascend.AppError');

/** Flat facts of the failure: units in the keys (`sizeBytes`), never a secret. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** What is needed to raise an error. */
export interface AppErrorParams {
  readonly code: ErrorCode;
  /** Lower case, operation first, numbers inside: "open chain disk-0/inc1.qcow2: backing file … is missing". Made printable: names come from strangers. */
  readonly message: string;
  readonly details?: ErrorDetails;
  /** Replaces the default hint of the code table. */
  readonly hint?: string;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** The one error class of the product. What it may carry is decided by its code's row in the code table. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly retry: RetryAdvice;
  readonly retryAfterMs: number | undefined;
  readonly details: ErrorDetails;
  readonly hint: string;

  constructor(params: AppErrorParams) {
    super(printable(params.message), params.cause === undefined ? undefined : { cause: params.cause });
    const row = codeRow(params.code);
    this.name = 'AppError';
    this.code = params.code;
    this.category = row.category;
    this.retry = categoryTraits[row.category].retry;
    this.retryAfterMs = params.retryAfterMs;
    this.details = params.details ?? {};
    this.hint = params.hint ?? row.hint;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** True for an AppError of any copy of this module. */
export function isAppError(value: unknown): value is AppError {
  return typeof value === 'object' && value !== null && brand in value;
}

/** The value itself when it is an AppError, an abort turned into OPERATION_CANCELLED, all else INTERNAL_BUG with its cause. */
export function toAppError(value: unknown, operation: string): AppError {
  if (isAppError(value)) return value;
  if (value instanceof Error && value.name === 'AbortError') {
    return new AppError({ code: 'OPERATION_CANCELLED', message: `${operation}: cancelled`, cause: value });
  }
  const text = value instanceof Error ? value.message : String(value);
  return new AppError({ code: 'INTERNAL_BUG', message: `${operation}: ${text}`, cause: value });
}
