import { AppError, type ErrorCode, type ErrorDetails } from '@ascend/errors';

/** Longest part of a server's answer that an error carries, in characters. */
export const answerChars = 500;

/** An address as errors and logs may show it: no user, no password, and no query, which may hold a signature. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

const statusCodes: Readonly<Record<number, ErrorCode>> = {
  401: 'DISK_OUTPUT_REFUSED',
  403: 'DISK_OUTPUT_REFUSED',
  407: 'DISK_OUTPUT_REFUSED',
  408: 'DISK_OUTPUT_TIMEOUT',
  413: 'DISK_SPACE_EXHAUSTED',
  425: 'DISK_OUTPUT_UNAVAILABLE',
  429: 'DISK_OUTPUT_UNAVAILABLE',
  504: 'DISK_OUTPUT_TIMEOUT',
  507: 'DISK_SPACE_EXHAUSTED',
};

/** The code for an HTTP status that is no success. Redirects count as rejected: a body is not sent twice. */
export function codeOfStatus(status: number): ErrorCode {
  return statusCodes[status] ?? (status >= 500 ? 'DISK_OUTPUT_UNAVAILABLE' : 'DISK_OUTPUT_REJECTED');
}

/** Seconds or a date of `Retry-After`, as ms from now; undefined when there is none. */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,6}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

/** The error for an answer that is no success. `text` is what was read of its body. */
export function statusError(
  operation: string,
  reply: { readonly status: number; readonly text: string; readonly retryAfter?: string | undefined },
): AppError {
  const { status } = reply;
  const answer = reply.text.slice(0, answerChars);
  const wait = retryAfterMs(reply.retryAfter);
  return new AppError({
    code: codeOfStatus(status),
    message: `${operation}: the server answers ${status}${answer === '' ? '' : `: ${answer}`}`,
    details: { status, answer },
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

// Codes of OpenSSL's chain check and of Node's own check of the name; source: Node's documentation of node:tls, 2026-07.
const trustCodes =
  /^(?:UNABLE_TO_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERR_TLS_CERT|PATH_LENGTH|UNSUPPORTED_CERT)/;

/** The error for a connection that was refused, cut or not trusted. */
export function connectionError(operation: string, cause: unknown): AppError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  const details: ErrorDetails = { errno };
  if (trustCodes.test(errno)) {
    const message = `${operation}: the certificate of the server is not trusted (${errno})`;
    return new AppError({ code: 'DISK_OUTPUT_UNTRUSTED', message, details, cause });
  }
  if (errno.startsWith('ERR_SSL') && /ALERT|CERTIFICATE/.test(errno)) {
    const message = `${operation}: the server refuses the TLS handshake (${errno})`;
    return new AppError({ code: 'DISK_OUTPUT_REFUSED', message, details, cause });
  }
  const message = `${operation}: the connection failed (${errno})`;
  return new AppError({ code: 'DISK_OUTPUT_UNAVAILABLE', message, details, cause });
}

/** The error for silence. */
export function timeoutError(operation: string, awaited: string, timeoutMs: number): AppError {
  return new AppError({
    code: 'DISK_OUTPUT_TIMEOUT',
    message: `${operation}: no ${awaited} in ${timeoutMs} ms`,
    details: { awaited, timeoutMs },
  });
}

/** The error for a cancelled transfer. */
export function cancelledError(operation: string): AppError {
  return new AppError({ code: 'OPERATION_CANCELLED', message: `${operation}: cancelled` });
}
