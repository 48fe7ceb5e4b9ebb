import { once } from 'node:events';
import type net from 'node:net';
import { AppError, isAppError } from '@ascend/errors';

/** A place on an IP network: name or address, and port. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** How long one step on a socket may take, and what cuts it. */
export interface StepLimits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Made when the time is over. */
  readonly onTimeout: () => AppError;
  /** Turns a failed socket into a coded error. */
  readonly onFailure: (cause: unknown) => AppError;
}

/** A place as it stands in messages. */
export function addressLabel(address: TcpAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The system's name of an error (`ECONNRESET`), or its text. */
export function errnoOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}

/**
 * Runs one step of an exchange under a deadline and a signal. The socket is destroyed on every failure.
 *
 * @throws {AppError} what `onTimeout` or `onFailure` makes, an AppError of the step itself, OPERATION_CANCELLED
 */
export async function withinDeadline<T>(
  socket: net.Socket,
  limits: StepLimits,
  step: () => Promise<T>,
): Promise<T> {
  let reason: AppError | undefined;
  const cut = (why: AppError): void => {
    reason ??= why;
    socket.destroy(why);
  };
  const onAbort = (): void =>
    cut(new AppError({ code: 'OPERATION_CANCELLED', message: 'talk to the other side: cancelled' }));
  const timer = setTimeout(() => cut(limits.onTimeout()), limits.timeoutMs);
  // A failure between two steps must not end the process; the next step finds the socket destroyed.
  socket.on('error', () => undefined);
  limits.signal?.addEventListener('abort', onAbort, { once: true });
  if (limits.signal?.aborted === true) onAbort();
  try {
    if (reason !== undefined) throw reason;
    return await step();
  } catch (cause) {
    socket.destroy();
    throw reason ?? (isAppError(cause) ? cause : limits.onFailure(cause));
  } finally {
    clearTimeout(timer);
    limits.signal?.removeEventListener('abort', onAbort);
  }
}

/** Resolves when the socket is connected; rejects with the system's error. */
export async function connected(socket: net.Socket): Promise<void> {
  if (socket.destroyed) throw socket.errored ?? new Error('the connection ended');
  if (socket.connecting) await once(socket, 'connect');
}

/**
 * Takes exactly `bytes` bytes, leaving what follows in the socket, which is paused afterwards.
 *
 * @throws {Error} when the connection ends before
 */
export function readExactly(socket: net.Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let have = 0;
    const settle = (): void => {
      socket.pause();
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd);
    };
    const onEnd = (cause?: unknown): void => {
      settle();
      reject(cause instanceof Error ? cause : (socket.errored ?? new Error('the connection ended')));
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      have += chunk.length;
      if (have < bytes) return;
      settle();
      const all = Buffer.concat(chunks);
      if (have > bytes) socket.unshift(all.subarray(bytes));
      resolve(all.subarray(0, bytes));
    };
    if (socket.destroyed || socket.readableEnded) {
      onEnd();
      return;
    }
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onEnd);
    socket.resume();
  });
}
