import { once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import { AppError, isAppError } from '@ascend/errors';
import type { Secret } from '@ascend/runtime';
import { encodeOption, magic, option, optionReply } from './protocol.ts';
import { errnoOf, readExactly } from './socket.ts';

/** A key that both ends know, made for one run. */
export interface TlsPsk {
  /** Printable ASCII without colon: the name of the key. */
  readonly identity: string;
  /** 32 bytes as hex. */
  readonly key: Secret;
}

// Forward secrecy and AES-GCM: TLS 1.3 first; plain PSK is left out, since a stolen key would open recorded traffic.
const pskCiphers = 'TLS_AES_128_GCM_SHA256:DHE-PSK-AES128-GCM-SHA256';

function refuse(problem: string, cause?: unknown): AppError {
  return new AppError({
    code: 'DISK_PEER_DENIED',
    message: `start TLS with block server: ${problem}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function notUnderstood(problem: string): AppError {
  return new AppError({ code: 'DISK_NBD_PROTOCOL', message: `start TLS with block server: ${problem}` });
}

async function askForTls(socket: net.Socket): Promise<void> {
  const greeting = await readExactly(socket, 18);
  if (greeting.readBigUInt64BE(0) !== magic.server || greeting.readBigUInt64BE(8) !== magic.option) {
    throw notUnderstood('the greeting is not the newstyle one');
  }
  if ((greeting.readUInt16BE(16) & 1) === 0) throw notUnderstood('it lacks the fixed newstyle handshake');
  socket.write(Buffer.concat([Buffer.from([0, 0, 0, 3]), encodeOption(option.startTls, Buffer.alloc(0))]));
  const reply = await readExactly(socket, 20);
  if (reply.readBigUInt64BE(0) !== magic.optionReply || reply.readUInt32BE(8) !== option.startTls) {
    throw notUnderstood('its answer is malformed');
  }
  // Going on without TLS is never an option: a man in the middle would answer just that.
  if (reply.readUInt32BE(12) !== optionReply.ack) throw refuse('it offers no TLS');
  if (reply.readUInt32BE(16) !== 0) throw notUnderstood('its answer is malformed');
  // Bytes sent before the encryption starts were not sent by whoever holds the key.
  if (socket.readableLength > 0) throw notUnderstood('it speaks before TLS has started');
}

/**
 * Reads the greeting of a block server, asks for TLS and does the TLS handshake with a pre-shared key. Afterwards the NBD handshake
 * goes on with options; the server greets only once. Deadlines are the caller's.
 *
 * @throws {AppError} DISK_PEER_DENIED - no TLS there, or another key; DISK_NBD_PROTOCOL. System errors of the first part pass as they are
 */
export async function startTls(socket: net.Socket, psk: TlsPsk): Promise<tls.TLSSocket> {
  await askForTls(socket);
  const secured = tls.connect({
    socket,
    minVersion: 'TLSv1.2',
    ciphers: pskCiphers,
    pskCallback: () => ({ identity: psk.identity, psk: Buffer.from(psk.key.reveal(), 'hex') }),
    // No certificate is shown: the key is the identity.
    checkServerIdentity: () => undefined,
  });
  try {
    await once(secured, 'secureConnect');
    return secured;
  } catch (cause) {
    secured.destroy();
    if (isAppError(cause)) throw cause;
    // GnuTLS hangs up without a word when the key is wrong.
    throw refuse(`the TLS handshake failed, most often for another key (${errnoOf(cause)})`, cause);
  }
}
