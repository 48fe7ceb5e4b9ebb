/** Whose move it is and what a caller may do next; every error code belongs to exactly one. */
export type ErrorCategory =
  | 'invalid'
  | 'denied'
  | 'missing'
  | 'conflict'
  | 'unsupported'
  | 'exhausted'
  | 'unavailable'
  | 'timeout'
  | 'corrupt'
  | 'cancelled'
  | 'internal';

/** May the same call be made again without a human changing something first? */
export type RetryAdvice = 'never' | 'safe' | 'after';

/** What follows from a category: default retry advice, HTTP status of the API, exit code of the CLI. */
export interface CategoryTraits {
  readonly retry: RetryAdvice;
  readonly httpStatus: number;
  readonly exitCode: number;
}

/** The one table from category to retry advice, HTTP status and exit code. */
export const categoryTraits = {
  invalid: { retry: 'never', httpStatus: 422, exitCode: 2 },
  denied: { retry: 'never', httpStatus: 403, exitCode: 3 },
  missing: { retry: 'never', httpStatus: 404, exitCode: 4 },
  conflict: { retry: 'never', httpStatus: 409, exitCode: 5 },
  unsupported: { retry: 'never', httpStatus: 422, exitCode: 6 },
  exhausted: { retry: 'after', httpStatus: 507, exitCode: 7 },
  unavailable: { retry: 'safe', httpStatus: 503, exitCode: 8 },
  timeout: { retry: 'safe', httpStatus: 504, exitCode: 9 },
  corrupt: { retry: 'never', httpStatus: 500, exitCode: 10 },
  cancelled: { retry: 'never', httpStatus: 409, exitCode: 130 },
  internal: { retry: 'never', httpStatus: 500, exitCode: 70 },
} as const satisfies Record<ErrorCategory, CategoryTraits>;

/** One row of the code table: category, a one-line meaning, and what the operator should do. */
export interface CodeRow {
  readonly category: ErrorCategory;
  readonly meaning: string;
  readonly hint: string;
}

/** A table of codes of one area; keys are `AREA_NOUN_PROBLEM`. */
export type CodeTable = Readonly<Record<string, CodeRow>>;
