import { open } from 'node:fs/promises';
import net from 'node:net';
import { AppError } from '@ascend/errors';

/** A line-wise JSON conversation over a unix socket, one request at a time. */
export interface ControlSocket {
  /** Sends one object as a line. */
  send(message: Readonly<Record<string, unknown>>): void;
  /** The next object that arrives; objects that arrive while nobody waits are kept. */
  receive(): Promise<Readonly<Record<string, unknown>>>;
  close(): void;
}

/** How a control socket is opened. The deadline covers everything until `close`. */
export interface ControlSocketParams {
  readonly stateDir: string;
  readonly socketName: string;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

// What a machine answers is partly the guest's word: an answer without end must not fill the memory.
const maxLineBytes = 1024 * 1024;
const maxQueued = 1000;

function asRecord(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

/** Collects lines and hands them, parsed, to whoever waits; the first failure ends all waiting. */
class LineInbox {
  readonly #queue: Readonly<Record<string, unknown>>[] = [];
  #rest = '';
  #waiting: PromiseWithResolvers<Readonly<Record<string, unknown>>> | null = null;
  #failure: AppError | null = null;

  accept(chunk: string): boolean {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      // The guest agent may put a 0xFF byte before an answer; it decodes to U+FFFD.
      const message = asRecord(line.replaceAll('\uFFFD', '').trim());
      if (message !== null) this.#deliver(message);
    }
    return this.#rest.length <= maxLineBytes && this.#queue.length <= maxQueued;
  }

  fail(error: AppError): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
  }

  async next(): Promise<Readonly<Record<string, unknown>>> {
    const first = this.#queue.shift();
    if (first !== undefined) return first;
    if (this.#failure !== null) throw this.#failure;
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  #deliver(message: Readonly<Record<string, unknown>>): void {
    if (this.#waiting === null) this.#queue.push(message);
    else {
      this.#waiting.resolve(message);
      this.#waiting = null;
    }
  }
}

function gone(operation: string, cause?: unknown): AppError {
  return new AppError({
    code: 'GUEST_MACHINE_GONE',
    message: `${operation}: nobody listens`,
    ...(cause === undefined ? {} : { cause }),
  });
}

async function connectByFolder(params: ControlSocketParams, operation: string): Promise<net.Socket> {
  // Through the folder's descriptor the name is short whatever the folder's path: sockets allow 107 bytes.
  const folder = await open(params.stateDir, 'r').catch((cause: unknown) => {
    throw gone(operation, cause);
  });
  try {
    const socket = net.connect(`/proc/self/fd/${folder.fd}/${params.socketName}`);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  } catch (cause) {
    throw gone(operation, cause);
  } finally {
    await folder.close();
  }
}

/**
 * Connects to a control socket in a machine's folder.
 *
 * @throws {AppError} GUEST_MACHINE_GONE - no listener, or it hung up; GUEST_MACHINE_UNRESPONSIVE - deadline passed while
 *   waiting; OPERATION_CANCELLED
 */
export async function openControlSocket(params: ControlSocketParams): Promise<ControlSocket> {
  const operation = `ask machine in ${params.stateDir} (${params.socketName})`;
  const socket = await connectByFolder(params, operation);
  const inbox = new LineInbox();
  const end = (error: AppError): void => {
    inbox.fail(error);
    socket.destroy();
  };
  const timer = setTimeout(() => {
    const message = `${operation}: no answer within ${params.deadlineMs} ms`;
    end(new AppError({ code: 'GUEST_MACHINE_UNRESPONSIVE', message }));
  }, params.deadlineMs);
  const cancel = (): void => {
    end(new AppError({ code: 'OPERATION_CANCELLED', message: `${operation}: cancelled` }));
  };
  params.signal?.addEventListener('abort', cancel, { once: true });
  if (params.signal?.aborted === true) cancel();
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    if (inbox.accept(chunk)) return;
    end(new AppError({ code: 'GUEST_MACHINE_COMMAND_REFUSED', message: `${operation}: answer is too long` }));
  });
  socket.on('error', (cause) => end(gone(operation, cause)));
  socket.on('close', () => end(gone(operation)));
  return {
    send: (message) => void socket.write(`${JSON.stringify(message)}\n`),
    receive: async () => inbox.next(),
    close: () => {
      clearTimeout(timer);
      params.signal?.removeEventListener('abort', cancel);
      socket.destroy();
    },
  };
}
