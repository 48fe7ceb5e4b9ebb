import { AppError } from '@ascend/errors';
import type { Extent } from '../extent.ts';
import { settleAll } from '../settleAll.ts';
import { openConnection, type NbdConnection } from './connection.ts';
import type { NbdEndpoint } from './endpoint.ts';
import { exportFlag } from './protocol.ts';

// A block of a copy is one request. Where the server keeps its bounce buffers on the heap (see nbdServer.ts), that takes 10 % less CPU at
// both ends than two of 512 KiB.
const requestBytes = 1024 * 1024;
const zeroRequestBytes = 1024 * 1024 * 1024;
// Just below 4 GiB, where the length field of a status request ends; a multiple of all cluster sizes up to 2 MiB.
const statusWindowBytes = 4 * 1024 * 1024 * 1024 - 2 * 1024 * 1024;
const holeFlag = 1;
const zeroFlag = 2;

/** A block device over NBD. All calls may overlap; after a cut every pending and later call is rejected with a coded error. */
export interface NbdClient {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Fills the whole of `target`, without a copy on the way; the buffer is in use until the promise settles. */
  readInto(offsetBytes: number, target: Uint8Array): Promise<void>;
  write(offsetBytes: number, data: Uint8Array): Promise<void>;
  /** Makes the range read as zeros, without sending them where the server can do so. */
  writeZeros(offsetBytes: number, lengthBytes: number): Promise<void>;
  /** All that was written before is durable afterwards. */
  flush(): Promise<void>;
  /** Extents of the range in order, neighbours of one kind merged; asked for in windows as they are consumed. */
  extents(offsetBytes: number, lengthBytes: number): AsyncIterable<Extent>;
  /** Ends the connections. Idempotent; never throws. */
  close(): Promise<void>;
}

/** How to reach a block server. */
export interface ConnectNbdParams extends NbdEndpoint {
  readonly exportName?: string;
  /** Cuts the connections and rejects all that is pending with OPERATION_CANCELLED. */
  readonly signal?: AbortSignal;
  /** Default 10 s. A server with all its places taken accepts and stays silent: this is what notices. */
  readonly handshakeTimeoutMs?: number;
  /** Longest silence while requests are pending; default 300 s (a flush to slow storage takes long). */
  readonly silenceMs?: number;
}

function kindOf(flags: number): Extent['kind'] {
  if ((flags & zeroFlag) === 0) return 'data';
  return (flags & holeFlag) === 0 ? 'zero' : 'hole';
}

async function* statusExtents(
  connection: () => Promise<NbdConnection>,
  from: number,
  to: number,
): AsyncGenerator<Extent> {
  const status = await connection();
  let at = from;
  while (at < to) {
    const window = Math.min(statusWindowBytes, to - at);
    const entries =
      status.facts.contextId === null
        ? [{ lengthBytes: window, flags: 0 }]
        : await status.blockStatus(at, window);
    for (const entry of entries) {
      const lengthBytes = Math.min(entry.lengthBytes, to - at);
      if (lengthBytes > 0) yield { offsetBytes: at, lengthBytes, kind: kindOf(entry.flags) };
      at += lengthBytes;
    }
  }
}

async function* merged(extents: AsyncIterable<Extent>): AsyncGenerator<Extent> {
  let held: Extent | undefined;
  for await (const extent of extents) {
    if (held !== undefined && held.kind === extent.kind)
      held = {
        offsetBytes: held.offsetBytes,
        lengthBytes: held.lengthBytes + extent.lengthBytes,
        kind: held.kind,
      };
    else {
      if (held !== undefined) yield held;
      held = extent;
    }
  }
  if (held !== undefined) yield held;
}

function checkRange(sizeBytes: number, offset: number, length: number, operation: string): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= sizeBytes) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `${operation} ${length} bytes at ${offset}: the disk has ${sizeBytes} bytes`,
    details: { offsetBytes: offset, lengthBytes: length, sizeBytes },
  });
}

/** Calls `run` for each piece of a buffer, all at once, and waits for all to settle before the first error is thrown. */
async function inPieces(
  bytes: Uint8Array,
  run: (at: number, piece: Uint8Array) => Promise<void>,
): Promise<void> {
  if (bytes.length > 0 && bytes.length <= requestBytes) {
    await run(0, bytes);
    return;
  }
  const runs: Promise<void>[] = [];
  for (let at = 0; at < bytes.length; at += requestBytes) {
    runs.push(run(at, bytes.subarray(at, at + requestBytes)));
  }
  await settleAll(runs);
}

function endpointOf(params: NbdEndpoint): NbdEndpoint {
  const { socketPath, address, dial, tls } = params;
  return {
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(address === undefined ? {} : { address }),
    ...(dial === undefined ? {} : { dial }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/**
 * Connects to a block server. One connection carries data; a second one, opened at the first call of `extents`, carries the
 * block status, so the server needs two places per client.
 *
 * @throws {AppError} DISK_NBD_DISCONNECTED, DISK_NBD_TIMEOUT, DISK_NBD_PROTOCOL, DISK_PEER_DENIED, OPERATION_CANCELLED. Calls of the client add
 * DISK_IO_FAILED, DISK_SPACE_EXHAUSTED and DISK_RANGE_INVALID
 */
export async function connectNbd(params: ConnectNbdParams): Promise<NbdClient> {
  const connect = (withStatus: boolean): Promise<NbdConnection> =>
    openConnection({
      ...endpointOf(params),
      exportName: params.exportName ?? '',
      withStatus,
      handshakeTimeoutMs: params.handshakeTimeoutMs ?? 10_000,
      silenceMs: params.silenceMs ?? 300_000,
      ...(params.signal === undefined ? {} : { signal: params.signal }),
    });
  const data = await connect(false);
  const { sizeBytes, flags } = data.facts;
  let status: Promise<NbdConnection> | null = null;
  const statusConnection = (): Promise<NbdConnection> => (status ??= connect(true));
  const canZero = (flags & exportFlag.sendWriteZeroes) !== 0;
  const zeros = Buffer.alloc(canZero ? 0 : requestBytes);
  return {
    sizeBytes,
    readOnly: (flags & exportFlag.readOnly) !== 0,
    readInto: async (offset, target) => {
      checkRange(sizeBytes, offset, target.length, 'read');
      await inPieces(target, (at, piece) => data.read(offset + at, piece));
    },
    write: async (offset, bytes) => {
      checkRange(sizeBytes, offset, bytes.length, 'write');
      await inPieces(bytes, (at, piece) => data.write(offset + at, piece));
    },
    writeZeros: async (offset, length) => {
      checkRange(sizeBytes, offset, length, 'write zeros');
      for (let at = 0; at < length;) {
        const piece = Math.min(canZero ? zeroRequestBytes : requestBytes, length - at);
        await (canZero
          ? data.writeZeroes(offset + at, piece)
          : data.write(offset + at, zeros.subarray(0, piece)));
        at += piece;
      }
    },
    flush: async () => {
      if ((flags & exportFlag.sendFlush) !== 0) await data.flush();
    },
    extents: (offset, length) => {
      checkRange(sizeBytes, offset, length, 'read status of');
      return merged(statusExtents(statusConnection, offset, offset + length));
    },
    close: async () => {
      await data.close();
      if (status !== null) await status.then((connection) => connection.close()).catch(() => undefined);
    },
  };
}
