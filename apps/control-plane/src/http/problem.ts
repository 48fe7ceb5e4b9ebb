import { categoryTraits, codeRow, toAppError, type AppError, type ErrorCode } from '@ascend/errors';
import type { Problem } from '@ascend/protocol';

// HTTP has finer words than our categories for these few.
const statusOfCode: Partial<Record<ErrorCode, number>> = {
  API_BODY_MALFORMED: 400,
  API_TOKEN_INVALID: 401,
  API_METHOD_UNSUPPORTED: 405,
  API_BODY_TOO_LARGE: 413,
  PLAN_BLOCKED: 422,
  API_MEDIA_TYPE_UNSUPPORTED: 415,
};

/** Members of a problem document beside those every error has. */
export type ProblemExtras = Pick<Problem, 'errors' | 'findings' | 'changes'>;

/** HTTP status of an error: by its code where HTTP has a word for it, else by its category. */
function statusOf(error: AppError): number {
  return statusOfCode[error.code] ?? categoryTraits[error.category].httpStatus;
}

/** The RFC 9457 document of an error. Causes and stacks stay in the log. */
function problemOf(error: AppError, extras: ProblemExtras = {}): Problem {
  return {
    type: `urn:ascend:error:${error.code}`,
    title: codeRow(error.code).meaning,
    status: statusOf(error),
    code: error.code,
    detail: error.message,
    hint: error.hint,
    evidence: { ...error.details },
    ...extras,
  };
}

/** The response that carries a problem document. */
export function problemResponse(
  error: AppError,
  extras: ProblemExtras = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  const problem = problemOf(error, extras);
  const retryAfter =
    error.retryAfterMs === undefined
      ? undefined
      : { 'retry-after': String(Math.ceil(error.retryAfterMs / 1000)) };
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', ...retryAfter, ...headers },
  });
}

/** A thrown error that already knows more than its AppError: findings of a blocked plan, changes of a stale one. */
export class ProblemError extends Error {
  readonly error: AppError;
  readonly extras: ProblemExtras;

  constructor(error: AppError, extras: ProblemExtras) {
    super(error.message, { cause: error });
    this.name = 'ProblemError';
    this.error = error;
    this.extras = extras;
  }
}

/** AppError and extras of anything that was thrown in a route. */
export function explain(
  thrown: unknown,
  operation: string,
): { readonly error: AppError; readonly extras: ProblemExtras } {
  if (thrown instanceof ProblemError) return { error: thrown.error, extras: thrown.extras };
  return { error: toAppError(thrown, operation), extras: {} };
}
