import pino from 'pino';

/** Fields of a log line; secrets are wrapped in `Secret` and print as `[secret]`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What the rest of the product may do with a log: constant lower-case sentence, data in fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

// Keys that never reach a line even when a caller forgets to wrap the value.
const redactedKeys = ['password', 'token', 'secret', 'seed', 'authorization', 'creds', 'api_key'];

function wrap(inner: pino.Logger): Logger {
  return {
    debug: (message, fields) => inner.debug(fields ?? {}, message),
    info: (message, fields) => inner.info(fields ?? {}, message),
    warn: (message, fields) => inner.warn(fields ?? {}, message),
    error: (message, fields) => inner.error(fields ?? {}, message),
    child: (fields) => wrap(inner.child(fields)),
  };
}

/** A JSON logger on standard error (standard output belongs to results). `write` replaces the destination in tests. */
export function createLogger(params: {
  readonly name: string;
  readonly level?: string;
  readonly write?: (line: string) => void;
}): Logger {
  const paths = redactedKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);
  const options = {
    name: params.name,
    level: params.level ?? 'info',
    redact: { paths, censor: '[secret]' },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  const write = params.write;
  return wrap(write === undefined ? pino(options, pino.destination(2)) : pino(options, { write }));
}

/** A logger that drops everything: for pure tests and for the CLI's quiet mode. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
