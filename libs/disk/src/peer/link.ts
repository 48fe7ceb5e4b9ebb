import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import {
  addressLabel,
  connected,
  errnoOf,
  readExactly,
  withinDeadline,
  type TcpAddress,
} from '../nbd/socket.ts';
import { fingerprintOfPem } from './certificate.ts';
import { decodeAnswer, encodeKnock, type KnockPurpose } from './knock.ts';
import { connectionError, denied, ended, unreachable } from './peerErrors.ts';
import { diallerCredentials, knockKeyOf, type LinkCredentials, type SessionTicket } from './ticket.ts';

// AES-128-GCM first: the fastest with AES instructions, and both ends are ours.
const tlsOptions = {
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
} as const;

/** Silence in ms after which the system asks whether the other side is still there. */
export const keepAliveInitialDelay = 15_000;

function pinned(credentials: LinkCredentials) {
  return {
    ...tlsOptions,
    cert: credentials.certPem,
    key: credentials.keyPem,
    // The one certificate that is trusted is the other side's own.
    ca: [credentials.peerCertPem],
  };
}

function hasPin(socket: tls.TLSSocket, credentials: LinkCredentials): boolean {
  const found = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
  return found === fingerprintOfPem(credentials.peerCertPem);
}

/** The listener's half of a TLS handshake with certificates on both sides. @throws {Error} of TLS; {AppError} DISK_PEER_DENIED */
export async function acceptTls(socket: net.Socket, credentials: LinkCredentials): Promise<tls.TLSSocket> {
  const server = tls.createServer({ ...pinned(credentials), requestCert: true, rejectUnauthorized: true });
  const secured = await new Promise<tls.TLSSocket>((resolve, reject) => {
    server.once('secureConnection', resolve);
    server.once('tlsClientError', reject);
    socket.once('close', () => reject(new Error('the connection ended')));
    server.emit('connection', socket);
  });
  if (!secured.authorized || !hasPin(secured, credentials)) throw denied('it shows another certificate');
  return secured;
}

/** The dialler's half. @throws {Error} of TLS; {AppError} DISK_PEER_DENIED */
async function connectTls(socket: net.Socket, credentials: LinkCredentials): Promise<tls.TLSSocket> {
  const secured = tls.connect({
    ...pinned(credentials),
    socket,
    rejectUnauthorized: true,
    // Names mean nothing here; the pin is checked below.
    checkServerIdentity: () => undefined,
  });
  await once(secured, 'secureConnect');
  if (!secured.authorized || !hasPin(secured, credentials)) throw denied('it shows another certificate');
  return secured;
}

/** Who dials, and how long each step may take. */
export interface DialParams {
  readonly ticket: SessionTicket;
  /** See `Knock.holder`. */
  readonly holder: string;
  /** For connecting, and again for TLS and the knock together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

async function knock(socket: net.Socket, params: DialParams, purpose: KnockPurpose): Promise<void> {
  socket.write(encodeKnock(knockKeyOf(params.ticket), purpose, params.holder));
  const byte = await readExactly(socket, 1).catch((cause: unknown) => {
    // A listener that does not accept certificate or knock hangs up without a word.
    throw denied(`it hung up on our proof of identity (${errnoOf(cause)})`, cause);
  });
  const answer = decodeAnswer(byte[0]);
  if (answer === 'ended') throw ended('the other side has ended it');
  if (answer === 'used') throw denied('the ticket is used by another process');
  if (answer !== 'welcome') throw denied('the knock is answered with noise');
}

async function connectTo(address: TcpAddress, params: DialParams): Promise<net.Socket> {
  const server = addressLabel(address);
  const { host, port } = address;
  const socket = net.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay });
  const limits = {
    timeoutMs: params.timeoutMs,
    signal: params.signal,
    onTimeout: () => unreachable(`no connection in ${params.timeoutMs} ms`, { server }),
    onFailure: (cause: unknown) => connectionError(server, cause),
  };
  await withinDeadline(socket, limits, () => connected(socket));
  return socket;
}

async function connectToAny(params: DialParams): Promise<net.Socket> {
  let failure: unknown;
  for (const address of params.ticket.addresses) {
    try {
      return await connectTo(address, params);
    } catch (cause) {
      failure = cause;
      if (params.signal?.aborted === true) break;
    }
  }
  throw failure;
}

async function dial<T extends net.Socket>(
  params: DialParams,
  open: (socket: net.Socket) => Promise<T>,
): Promise<T> {
  const socket = await connectToAny(params);
  const server = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
  const limits = {
    timeoutMs: params.timeoutMs,
    signal: params.signal,
    onTimeout: () => unreachable(`no handshake in ${params.timeoutMs} ms`, { server }),
    onFailure: (cause: unknown) => connectionError(server, cause),
  };
  return await withinDeadline(socket, limits, () => open(socket));
}

/**
 * Dials a TLS link and knocks inside it.
 *
 * @throws {AppError} DISK_PEER_UNREACHABLE, DISK_PEER_DENIED, DISK_PEER_ENDED, OPERATION_CANCELLED
 */
export async function dialLink(params: DialParams): Promise<tls.TLSSocket> {
  return await dial(params, async (socket) => {
    const secured = await connectTls(socket, diallerCredentials(params.ticket));
    // The first failure rejects a wait above or below; what comes later must not end the process.
    secured.on('error', () => undefined);
    await knock(secured, params, 'link');
    return secured;
  });
}

/**
 * Dials a stream and knocks in the open: the knock only keeps strangers from taking places, TLS-PSK follows inside the stream.
 *
 * @throws {AppError} as `dialLink`
 */
export async function dialStream(params: DialParams): Promise<net.Socket> {
  return await dial(params, async (socket) => {
    await knock(socket, params, 'stream');
    return socket;
  });
}
