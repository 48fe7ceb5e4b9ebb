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
  /** Where the server listens, as it stands in messages. */
  readonly label: string;
  /** Where to connect to; or a connection that is open already, whose bytes are copied once more. */
  readonly to: net.TcpNetConnectOpts | net.IpcNetConnectOpts | { readonly open: net.Socket };
  /** Silence allowed while bytes are awaited, in ms. */
  readonly silenceMs: number;
  readonly filler: Filler;
  /** Called exactly once, whatever ended the connection. */
  readonly onClosed: (reason: AppError) => void;
}

function disconnected(label: string, cause?: unknown): AppError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'end of stream';
  return new AppError({
    code: 'DISK_NBD_DISCONNECTED',
    message: `talk to block server: the connection ended (${errno})`,
    details: { server: label, errno },
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

/** Keeps the buffer that a parser waits for, and how much of it is filled. */
export class Target {
  #buffer: Uint8Array = new Uint8Array(1);
  #filled = 0;
  readonly #filler: Filler;

  constructor(filler: Filler) {
    this.#filler = filler;
  }

  /** What is still empty of the buffer that is being filled. */
  rest(): Uint8Array {
    return this.#filled === 0 ? this.#buffer : this.#buffer.subarray(this.#filled);
  }

  /** Copies received bytes to where the parser wants them. */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const rest = this.rest();
      const count = Math.min(rest.length, bytes.length - at);
      rest.set(bytes.subarray(at, at + count));
      this.received(count);
      at += count;
    }
  }

  /** Takes note of received bytes; asks the parser for the next buffer when this one is full. @throws what the parser throws */
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

/** Opens a connection, or takes an open one, and feeds the parser. It is refused, cut or silent: `onClosed` tells. */
export function openChannel(params: ChannelParams): Channel {
  const target = new Target(params.filler);
  target.next();
  let reason: AppError | undefined;
  let expecting = false;
  const parse = (step: () => void): boolean => {
    try {
      step();
    } catch (cause) {
      destroy(isAppError(cause) ? cause : notUnderstood(cause));
    }
    return reason === undefined;
  };
  const socket =
    'open' in params.to
      ? params.to.open
      : net.connect({
          ...params.to,
          onread: { buffer: () => target.rest(), callback: (count) => parse(() => target.received(count)) },
        });
  if ('open' in params.to) {
    socket.on('data', (bytes) => parse(() => target.take(bytes)));
    // Whoever read from it before has paused it.
    socket.resume();
  }
  const destroy = (why?: AppError): void => {
    reason ??= why ?? disconnected(params.label);
    socket.destroy();
  };
  socket.on('error', (cause) => destroy(disconnected(params.label, cause)));
  socket.on('end', () => destroy());
  const onClosed = (): void => params.onClosed((reason ??= disconnected(params.label)));
  // A connection that was handed over may have ended meanwhile.
  if (socket.closed) process.nextTick(onClosed);
  else socket.on('close', onClosed);
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
