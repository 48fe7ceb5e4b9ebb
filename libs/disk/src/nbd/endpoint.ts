import net from 'node:net';
import { AppError } from '@ascend/errors';
import type { ChannelParams } from './channel.ts';
import { addressLabel, connected, errnoOf, withinDeadline, type TcpAddress } from './socket.ts';
import { startTls, type TlsPsk } from './startTls.ts';

/** Where a block server is: a unix socket, a TCP address, or a connection that `dial` makes. */
export interface NbdEndpoint {
  readonly socketPath?: string;
  readonly address?: TcpAddress;
  /** Makes a connection, coded errors included; the deadline of the handshake counts from its success. */
  readonly dial?: () => Promise<net.Socket>;
  /** Encrypt and authenticate by this key; a server that cannot is refused. */
  readonly tls?: TlsPsk;
}

/** A place and how long its handshake may take. */
export interface HandshakeLimits extends NbdEndpoint {
  readonly handshakeTimeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A server's place as it stands in messages. */
export function labelOf(params: NbdEndpoint): string {
  if (params.dial !== undefined) return 'a dialled connection';
  return params.address === undefined ? (params.socketPath ?? '') : addressLabel(params.address);
}

function connectOptions(params: NbdEndpoint): net.TcpNetConnectOpts | net.IpcNetConnectOpts {
  if (params.address === undefined) return { path: params.socketPath ?? '' };
  return { host: params.address.host, port: params.address.port, noDelay: true };
}

/** The error of a handshake that took too long. */
export function timedOut(params: HandshakeLimits): AppError {
  const message = `connect to block server: no handshake in ${params.handshakeTimeoutMs} ms`;
  const details = { server: labelOf(params), timeoutMs: params.handshakeTimeoutMs };
  return new AppError({ code: 'DISK_NBD_TIMEOUT', message, details });
}

/**
 * Where the NBD handshake goes on: at the server itself, or on a connection that was dialled or has TLS started.
 *
 * @throws {AppError} DISK_NBD_DISCONNECTED, DISK_NBD_TIMEOUT, DISK_NBD_PROTOCOL, DISK_PEER_DENIED, OPERATION_CANCELLED, and what `dial` throws
 */
export async function transportTo(params: HandshakeLimits): Promise<ChannelParams['to']> {
  const { tls } = params;
  if (tls === undefined && params.dial === undefined) return connectOptions(params);
  const socket = await (params.dial?.() ?? net.connect(connectOptions(params)));
  if (tls === undefined) return { open: socket };
  const server = labelOf(params);
  const limits = {
    timeoutMs: params.handshakeTimeoutMs,
    signal: params.signal,
    onTimeout: () => timedOut(params),
    onFailure: (cause: unknown) =>
      new AppError({
        code: 'DISK_NBD_DISCONNECTED',
        message: `connect to block server: the connection ended (${errnoOf(cause)})`,
        details: { server, errno: errnoOf(cause) },
        cause,
      }),
  };
  return await withinDeadline(socket, limits, async () => {
    await connected(socket);
    return { open: await startTls(socket, tls) };
  });
}
