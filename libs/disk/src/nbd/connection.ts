import { AppError, isAppError, type ErrorCode } from '@ascend/errors';
import { openChannel, type Channel, type Filler } from './channel.ts';
import { labelOf, timedOut, transportTo, type NbdEndpoint } from './endpoint.ts';
import { chunk, command, encodeRequest, errorName, magic } from './protocol.ts';
import { handshake, type Handshake, type ExportFacts } from './handshake.ts';

/** An extent as a status reply gives it: length and state flags (1 = hole, 2 = reads as zeros). */
interface StatusEntry {
  readonly lengthBytes: number;
  readonly flags: number;
}

/** One connection in its transmission phase. */
export interface NbdConnection {
  readonly facts: ExportFacts;
  /** Fills `target` from the disk without a copy on the way. The buffer is in use until the promise settles. */
  read(offsetBytes: number, target: Uint8Array): Promise<void>;
  write(offsetBytes: number, data: Uint8Array): Promise<void>;
  writeZeroes(offsetBytes: number, lengthBytes: number): Promise<void>;
  flush(): Promise<void>;
  /** States of a range, at least one entry; may cover less than asked. */
  blockStatus(offsetBytes: number, lengthBytes: number): Promise<readonly StatusEntry[]>;
  /** Says good-bye and ends the connection. Pending requests are rejected. */
  close(): Promise<void>;
}

/** How to reach an export. */
export interface ConnectionParams extends NbdEndpoint {
  readonly exportName: string;
  /** Also negotiate structured replies and `base:allocation`. */
  readonly withStatus: boolean;
  readonly handshakeTimeoutMs: number;
  /** Longest silence while a request is pending. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal;
}

/** What a request sends, and where its answer goes. */
interface RequestBuffers {
  readonly target?: Uint8Array;
  readonly data?: Uint8Array;
  readonly status?: StatusEntry[];
}

interface Pending {
  readonly name: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Where the data of a read goes. */
  readonly target: Uint8Array | null;
  readonly status: StatusEntry[];
  error: AppError | null;
  readonly resolve: () => void;
  readonly reject: (error: AppError) => void;
}

// Block status answers of QEMU hold at most 128 Ki entries of 8 bytes.
const maxChunkBytes = 2 * 1024 * 1024;

function ioError(pending: Pending, errno: number): AppError {
  const code: ErrorCode = errno === 28 ? 'DISK_SPACE_EXHAUSTED' : 'DISK_IO_FAILED';
  const { name, offsetBytes, lengthBytes } = pending;
  return new AppError({
    code,
    message: `${name} ${lengthBytes} bytes at ${offsetBytes}: the block server says ${errorName(errno)}`,
    details: { operation: name, offsetBytes, lengthBytes, errno: errorName(errno) },
  });
}

function protocolError(problem: string): AppError {
  return new AppError({ code: 'DISK_NBD_PROTOCOL', message: `talk to block server: ${problem}` });
}

function readStatusChunk(payload: Buffer, contextId: number): StatusEntry[] {
  if (payload.length < 12 || (payload.length - 4) % 8 !== 0 || payload.readUInt32BE(0) !== contextId) {
    throw protocolError(`a status chunk of ${payload.length} bytes is malformed`);
  }
  const entries: StatusEntry[] = [];
  for (let at = 4; at < payload.length; at += 8) {
    const lengthBytes = payload.readUInt32BE(at);
    if (lengthBytes === 0) throw protocolError('a status entry of 0 bytes');
    entries.push({ lengthBytes, flags: payload.readUInt32BE(at + 4) });
  }
  return entries;
}

/** The requests in flight, and the parser that settles them. */
class Transmission {
  readonly #pending = new Map<number, Pending>();
  #nextCookie = 1;
  #closed: AppError | null = null;
  #channel: Channel | null = null;
  #contextId = 0;

  attach(channel: Channel): void {
    this.#channel = channel;
  }

  request(
    type: number,
    name: string,
    offsetBytes: number,
    lengthBytes: number,
    buffers: RequestBuffers = {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null || this.#channel === null) {
        reject(this.#closed ?? protocolError('not connected'));
        return;
      }
      const cookie = this.#nextCookie;
      this.#nextCookie = cookie === 0xffff_ffff ? 1 : cookie + 1;
      const target = buffers.target ?? null;
      this.#pending.set(cookie, {
        name,
        offsetBytes,
        lengthBytes,
        target,
        status: buffers.status ?? [],
        error: null,
        resolve,
        reject,
      });
      this.#channel.expectBytes(true);
      const head = encodeRequest(type, cookie, offsetBytes, lengthBytes);
      if (buffers.data === undefined) this.#channel.send(head);
      else this.#channel.send(head, buffers.data);
    });
  }

  /** Rejects all that is pending and all that will come. */
  closed(reason: AppError): void {
    this.#closed ??= reason;
    for (const pending of this.#pending.values()) pending.reject(this.#closed);
    this.#pending.clear();
  }

  /** The parser: handshake, then replies until the connection ends. */
  *fill(opening: Handshake): Filler {
    this.#contextId = (yield* opening.run()).contextId ?? 0;
    const head = Buffer.alloc(20);
    for (;;) {
      yield head.subarray(0, 16);
      const kind = head.readUInt32BE(0);
      if (kind === magic.simpleReply) yield* this.#simple(head);
      else if (kind === magic.structuredReply) yield* this.#structured(head);
      else throw protocolError(`reply magic 0x${kind.toString(16)}`);
    }
  }

  #find(high: number, cookie: number): Pending {
    const pending = this.#pending.get(cookie);
    if (pending === undefined || high !== 0) throw protocolError('a reply to no request');
    return pending;
  }

  #settle(cookie: number, pending: Pending): void {
    this.#pending.delete(cookie);
    if (this.#pending.size === 0) this.#channel?.expectBytes(false);
    if (pending.error === null) pending.resolve();
    else pending.reject(pending.error);
  }

  /** The last chunk counts; a loop, since an answer has more entries than a call takes arguments. */
  #takeStatus(pending: Pending, payload: Buffer): void {
    pending.status.length = 0;
    for (const entry of readStatusChunk(payload, this.#contextId)) pending.status.push(entry);
  }

  *#simple(head: Buffer): Filler {
    const errno = head.readUInt32BE(4);
    const cookie = head.readUInt32BE(12);
    const pending = this.#find(head.readUInt32BE(8), cookie);
    if (errno !== 0) pending.error = ioError(pending, errno);
    else if (pending.target !== null) yield pending.target;
    this.#settle(cookie, pending);
  }

  *#structured(head: Buffer): Filler {
    yield head.subarray(16, 20);
    const flags = head.readUInt16BE(4);
    const type = head.readUInt16BE(6);
    const cookie = head.readUInt32BE(12);
    const length = head.readUInt32BE(16);
    const pending = this.#find(head.readUInt32BE(8), cookie);
    if (length > maxChunkBytes) throw protocolError(`a chunk of ${length} bytes`);
    const payload = Buffer.alloc(length);
    yield payload;
    if ((type & chunk.errorBit) !== 0) {
      if (length < 6) throw protocolError(`an error chunk of ${length} bytes`);
      pending.error = ioError(pending, payload.readUInt32BE(0));
    } else if (type === chunk.blockStatus) this.#takeStatus(pending, payload);
    else if (type !== chunk.none) throw protocolError(`chunk type ${type}`);
    if ((flags & chunk.doneFlag) !== 0) this.#settle(cookie, pending);
  }
}

function wrapConnection(
  facts: ExportFacts,
  transmission: Transmission,
  channel: Channel,
  gone: Promise<unknown>,
) {
  const connection: NbdConnection = {
    facts,
    read: (offset, target) => transmission.request(command.read, 'read', offset, target.length, { target }),
    write: (offset, data) => transmission.request(command.write, 'write', offset, data.length, { data }),
    writeZeroes: (offset, length) => transmission.request(command.writeZeroes, 'write zeros', offset, length),
    flush: () => transmission.request(command.flush, 'flush', 0, 0),
    blockStatus: async (offset, length) => {
      const status: StatusEntry[] = [];
      await transmission.request(command.blockStatus, 'read status of', offset, length, { status });
      if (status.length === 0) throw protocolError('a status reply without extents');
      return status;
    },
    close: async () => {
      channel.send(encodeRequest(command.disconnect, 0, 0, 0));
      channel.destroy();
      await gone;
    },
  };
  return connection;
}

/**
 * Connects to an export of a block server.
 *
 * @throws {AppError} DISK_NBD_DISCONNECTED - refused or cut; DISK_NBD_TIMEOUT - no handshake in time; DISK_NBD_PROTOCOL - no such
 * export, or not the newstyle protocol; DISK_PEER_DENIED - one side wants TLS and the other does not, or the keys differ;
 * OPERATION_CANCELLED
 */
export async function openConnection(params: ConnectionParams): Promise<NbdConnection> {
  const transmission = new Transmission();
  const finished = Promise.withResolvers<ExportFacts>();
  const gone = Promise.withResolvers<null>();
  const to = await transportTo(params);
  const greeting = { ...params, greeted: params.tls !== undefined };
  // After TLS the client speaks first: while the channel is being made.
  const early: Uint8Array[] = [];
  let send = (...parts: readonly Uint8Array[]): void => void early.push(...parts);
  const opening = handshake(greeting, (...parts) => send(...parts), finished.resolve);
  const channel = openChannel({
    label: labelOf(params),
    to,
    silenceMs: params.silenceMs,
    filler: transmission.fill(opening),
    onClosed: (reason) => {
      params.signal?.removeEventListener('abort', abort);
      transmission.closed(reason);
      finished.reject(reason);
      gone.resolve(null);
    },
  });
  const abort = (): void => {
    channel.destroy(
      new AppError({ code: 'OPERATION_CANCELLED', message: 'talk to block server: cancelled' }),
    );
  };
  send = (...parts) => channel.send(...parts);
  if (early.length > 0) send(...early);
  transmission.attach(channel);
  if (params.signal?.aborted === true) abort();
  params.signal?.addEventListener('abort', abort, { once: true });
  const deadline = setTimeout(() => channel.destroy(timedOut(params)), params.handshakeTimeoutMs);
  try {
    const facts = await finished.promise;
    return wrapConnection(facts, transmission, channel, gone.promise);
  } catch (cause) {
    await gone.promise;
    throw isAppError(cause) ? cause : protocolError('the handshake failed');
  } finally {
    clearTimeout(deadline);
  }
}
