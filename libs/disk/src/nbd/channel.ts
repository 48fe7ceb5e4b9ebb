import net from 'node:net';
import { AppError, isAppError } from '@ascend/errors';

/** A parser that names the buffer it wants filled next; the channel fills it and goes on. No byte is copied twice. */
export type Filler = Generator<Uint8Array, void, void>;

/** One connection to a block server. */
export interface Channel {
  /** Sends the parts in order, as one system call where possible. */
  send(...parts: readonly Uint8Array[]): void;
  /** Ends the connection; `reason` reaches `onClosed`. Idempotent. */
  destroy(reason?: AppError): void;
  /** Arms the deadline on silence; it is off while nothing is awaited. */
  expectBytes(expecting: boolean): void;
}

/** How to open a channel. */
export interface ChannelParams {
  readonly socketPath: string;
  /** Silence allowed while bytes are awaited, in ms. */
  readonly silenceMs: number;
  readonly filler: Filler;
  /** Called exactly once, whatever ended the connection. */
  readonly onClosed: (reason: AppError) => void;
}

function disconnected(socketPath: string, cause?: unknown): AppError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'end of stream';
  return new AppError({
    code: 'DISK_NBD_DISCONNECTED',
    message: `talk to block server: the connection ended (${errno})`,
    details: { socketPath, errno },
    ...(cause === undefined ? {} : { cause }),
  });
}

function notUnderstood(cause: unknown): AppError {
  return new AppError({
    code: 'DISK_NBD_PROTOCOL',
    message: 'talk to block server: answer not understood',
    cause,
  });
}

/** Keeps the buffer that the parser waits for, and how much of it is filled. */
class Target {
  #buffer: Uint8Array = new Uint8Array(1);
  #filled = 0;
  readonly #filler: Filler;

  constructor(filler: Filler) {
    this.#filler = filler;
  }

  rest(): Uint8Array {
    return this.#filled === 0 ? this.#buffer : this.#buffer.subarray(this.#filled);
  }

  /** Takes note of received bytes; asks the parser for the next buffer when this one is full. */
  received(count: number): void {
    this.#filled += count;
    if (this.#filled >= this.#buffer.length) this.next();
  }

  /** @throws whatever the parser throws; an ended parser expects no more bytes */
  next(): void {
    do {
      const step = this.#filler.next();
      // After its end the parser takes nothing: one byte more is a breach of the protocol and ends in `next` again.
      this.#buffer = step.done === true ? new Uint8Array(1) : step.value;
      this.#filled = 0;
      if (step.done === true) break;
    } while (this.#buffer.length === 0);
  }
}

/** Opens a connection on a unix socket and feeds the parser. The socket is refused, cut or silent: `onClosed` tells. */
export function openChannel(params: ChannelParams): Channel {
  const target = new Target(params.filler);
  target.next();
  let reason: AppError | undefined;
  let expecting = false;
  const socket = net.connect({
    path: params.socketPath,
    onread: {
      buffer: () => target.rest(),
      callback: (count) => {
        try {
          target.received(count);
        } catch (cause) {
          destroy(isAppError(cause) ? cause : notUnderstood(cause));
        }
        return reason === undefined;
      },
    },
  });
  const destroy = (why?: AppError): void => {
    reason ??= why ?? disconnected(params.socketPath);
    socket.destroy();
  };
  socket.on('error', (cause) => destroy(disconnected(params.socketPath, cause)));
  socket.on('end', () => destroy());
  socket.on('close', () => params.onClosed((reason ??= disconnected(params.socketPath))));
  socket.setTimeout(params.silenceMs, () => {
    if (!expecting) return;
    const message = `talk to block server: silent for ${params.silenceMs} ms`;
    destroy(new AppError({ code: 'DISK_NBD_TIMEOUT', message, details: { silenceMs: params.silenceMs } }));
  });
  return {
    send: (...parts) => {
      if (reason !== undefined) return;
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    },
    destroy,
    expectBytes: (value) => {
      if (value && !expecting) socket.setTimeout(params.silenceMs);
      expecting = value;
    },
  };
}
