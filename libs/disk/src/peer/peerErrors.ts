import { AppError, isAppError, type ErrorDetails } from '@ascend/errors';
import { errnoOf } from '../nbd/socket.ts';

// Node's and OpenSSL's names for "the other end is not who it should be, or thinks so of us".
const deniedPattern =
  /^(ERR_SSL_|ERR_TLS_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_|HOSTNAME_MISMATCH|INVALID_PURPOSE|EPROTO$)/;

/** The other side has not proved who it is. */
export function denied(problem: string, cause?: unknown): AppError {
  return new AppError({
    code: 'DISK_PEER_DENIED',
    message: `open disk session: ${problem}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The other side cannot be reached now. */
export function unreachable(problem: string, details: ErrorDetails = {}, cause?: unknown): AppError {
  return new AppError({
    code: 'DISK_PEER_UNREACHABLE',
    message: `talk to the other agent: ${problem}`,
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The session is over. */
export function ended(problem: string): AppError {
  return new AppError({ code: 'DISK_PEER_ENDED', message: `use disk session: ${problem}` });
}

/** The other side breaks the protocol. */
export function breach(problem: string, cause?: unknown): AppError {
  return new AppError({
    code: 'DISK_PEER_PROTOCOL',
    message: `talk to the other agent: ${problem}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The coded error for whatever ended a connection to the other agent. Coded errors pass unchanged. */
export function connectionError(server: string, cause: unknown): AppError {
  if (isAppError(cause)) return cause;
  const errno = errnoOf(cause);
  if (deniedPattern.test(errno)) return denied(`the proof of identity failed (${errno})`, cause);
  return unreachable(`the connection ended (${errno})`, { server, errno }, cause);
}

/** May the same request be made again on a new connection? */
export function isCut(cause: unknown): boolean {
  return isAppError(cause) && cause.code === 'DISK_PEER_UNREACHABLE';
}
