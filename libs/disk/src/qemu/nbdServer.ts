import { getDiffieHellman } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hasCode } from '@ascend/errors';
import { blockdevArgument, type Blockdev } from '../blockdev.ts';
import { derTag, encodeDer, encodePem } from '../der.ts';
import { changeFile } from '../fileErrors.ts';
import { connectNbd } from '../nbd/client.ts';
import type { NbdEndpoint } from '../nbd/endpoint.ts';
import type { TcpAddress } from '../nbd/socket.ts';
import type { TlsPsk } from '../nbd/startTls.ts';
import { makeRunFolder, startDaemon, type Daemon } from './daemon.ts';
import { listeningPort } from './listeningPort.ts';

// Keeps the server's bounce buffers on the heap instead of mapping and unmapping them per request: 38 % less CPU measured.
const mallocTuning = { MALLOC_MMAP_THRESHOLD_: '67108864', MALLOC_TRIM_THRESHOLD_: '268435456' };

/** A running block server on a private unix socket. */
export interface NbdServer {
  readonly socketPath: string;
  readonly exportName: string;
  readonly sizeBytes: number;
  readonly pid: number;
  /** Flushes, ends the server and waits for its end. Idempotent. */
  close(): Promise<void>;
}

/** A running block server on TCP. */
export interface NbdTcpServer extends Omit<NbdServer, 'socketPath'> {
  readonly address: TcpAddress;
}

/** What to serve. */
export interface ServeNbdParams {
  readonly blockdev: Blockdev;
  readonly writable: boolean;
  /** Clients (see `connectNbd`) that may be connected at once. */
  readonly connections: number;
  /** Take only clients that start TLS with this key. It is handed over in a file of the private folder, never in an argument. */
  readonly tls?: TlsPsk;
  /** Folder for the socket; made when missing. */
  readonly workDir: string;
  /** Ends the server when it fires. */
  readonly signal?: AbortSignal;
}

/** What to serve on TCP; never without TLS. */
export interface ServeNbdOnTcpParams extends ServeNbdParams {
  readonly tls: TlsPsk;
  /** Address to listen on; the port is a free one. Danger: `0.0.0.0` and `::` listen on every network of the machine. */
  readonly host: string;
}

const exportName = 'disk';

/** The 2048 bit group of RFC 3526, for DHE with TLS 1.2. Without the file QEMU searches a new prime, which takes seconds. */
function dhParams(): string {
  const group = getDiffieHellman('modp14');
  // A leading zero keeps the prime, whose top bit is set, positive.
  const prime = encodeDer(derTag.integer, Buffer.from([0]), group.getPrime());
  const generator = encodeDer(derTag.integer, group.getGenerator());
  return encodePem('DH PARAMETERS', encodeDer(derTag.sequence, prime, generator));
}

/** Writes the key file that GnuTLS reads (`identity:hex`) and returns the arguments that name its folder. */
async function tlsArguments(folder: string, tls: TlsPsk | undefined): Promise<readonly string[]> {
  if (tls === undefined) return [];
  const files = { 'keys.psk': `${tls.identity}:${tls.key.reveal()}\n`, 'dh-params.pem': dhParams() };
  await changeFile('write key of', 'block server', async () => {
    for (const [name, text] of Object.entries(files)) {
      await writeFile(path.join(folder, name), text, { mode: 0o600, flag: 'wx' });
    }
  });
  // A comma in an option's value is doubled.
  const dir = folder.replaceAll(',', ',,');
  return ['--object', `tls-creds-psk,id=tls,endpoint=server,dir=${dir}`, '--tls-creds', 'tls'];
}

async function start(
  params: ServeNbdParams,
  folder: string,
  place: readonly string[],
  isReady: (pid: number) => Promise<boolean>,
): Promise<Daemon> {
  const tlsArgs = await tlsArguments(folder, params.tls).catch(async (cause: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw cause;
  });
  return await startDaemon({
    operation: 'serve disk',
    program: 'qemu-nbd',
    args: [
      '--persistent',
      ...place,
      '--export-name',
      exportName,
      // Each client has a data and a status connection; one more place for the probe. Danger: a client without a place
      // is accepted by the kernel and then waits for ever.
      '--shared',
      String(params.connections * 2 + 1),
      ...(params.writable ? ['--discard=unmap'] : ['--read-only']),
      ...tlsArgs,
      blockdevArgument(params.blockdev),
    ],
    env: mallocTuning,
    folder,
    isReady,
    ...(params.signal === undefined ? {} : { signal: params.signal }),
  });
}

/** Its size, once the server answers; null before. */
async function probe(endpoint: NbdEndpoint): Promise<number | null> {
  try {
    const client = await connectNbd({ ...endpoint, exportName });
    await client.close();
    return client.sizeBytes;
  } catch (cause) {
    if (hasCode(cause, 'DISK_NBD_DISCONNECTED')) return null;
    throw cause;
  }
}

/**
 * Serves a disk by qemu-nbd on a private unix socket. The server dies with this process; on failure nothing is left.
 *
 * @throws {AppError} DISK_SOURCE_BUSY - another program writes to a layer; DISK_OPEN_FAILED, DISK_IMAGE_CORRUPT, DISK_IMAGE_DIRTY,
 * DISK_SERVER_FAILED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function serveNbd(params: ServeNbdParams): Promise<NbdServer> {
  const folder = await makeRunFolder(params.workDir);
  const socketPath = path.join(folder, 'nbd.sock');
  const endpoint = { socketPath, ...(params.tls === undefined ? {} : { tls: params.tls }) };
  let sizeBytes: number | null = null;
  const daemon = await start(params, folder, ['--socket', socketPath], async () => {
    sizeBytes = await probe(endpoint);
    return sizeBytes !== null;
  });
  return { socketPath, exportName, sizeBytes: sizeBytes ?? 0, pid: daemon.pid, close: () => daemon.close() };
}

/**
 * Serves a disk by qemu-nbd on a free TCP port, to clients that start TLS with the key. Otherwise like `serveNbd`.
 * Danger: whoever reaches the port can take the places of clients without knowing the key, so it must not face a hostile network;
 * `lendDisk` puts a listener with deadlines in front of the private socket.
 *
 * @throws {AppError} as `serveNbd`; DISK_SERVER_FAILED also when the address is not one of this machine
 */
export async function serveNbdOnTcp(params: ServeNbdOnTcpParams): Promise<NbdTcpServer> {
  const folder = await makeRunFolder(params.workDir);
  const { host, tls } = params;
  let sizeBytes: number | null = null;
  let port: number | null = null;
  const daemon = await start(params, folder, ['--bind', host, '--port', '0'], async (pid) => {
    port = await listeningPort(pid);
    sizeBytes = port === null ? null : await probe({ address: { host, port }, tls });
    return sizeBytes !== null;
  });
  return {
    address: { host, port: port ?? 0 },
    exportName,
    sizeBytes: sizeBytes ?? 0,
    pid: daemon.pid,
    close: () => daemon.close(),
  };
}
