import type { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { AppError } from '@ascend/errors';
import { connectionError, shownUrl, timeoutError } from './httpError.ts';

/** How the server of a target is trusted, and who we are to it. Nothing here switches the check off. */
export interface HttpTls {
  /** PEM of authorities to trust instead of the system's. */
  readonly ca?: string;
  /**
   * SHA-256 of the server's own certificate (64 hex digits, colons allowed). Exactly this certificate is trusted, whatever name or
   * authority it has: for hosts with a self-signed one.
   */
  readonly pinSha256?: string;
  /** PEM of our certificate and its key, for mutual TLS. */
  readonly cert?: string;
  readonly key?: string;
}

/** The options of `node:https` and `node:tls` that follow from it. */
export type TrustOptions = Pick<
  tls.ConnectionOptions,
  'ca' | 'cert' | 'key' | 'allowPartialTrustChain' | 'checkServerIdentity' | 'minVersion'
>;

function untrusted(url: URL, problem: string): AppError {
  return new AppError({
    code: 'DISK_OUTPUT_UNTRUSTED',
    message: `connect to ${shownUrl(url)}: ${problem}`,
    details: { url: shownUrl(url) },
  });
}

function normalPin(url: URL, pin: string): string {
  const digits = pin.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digits))
    throw untrusted(url, 'the pinned fingerprint is no SHA-256 (64 hex digits)');
  return digits;
}

function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** The certificate that the server shows. Nothing is sent on this connection but the handshake, and no secret of ours. */
async function shownCertificate(
  url: URL,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<X509Certificate> {
  const operation = `connect to ${shownUrl(url)}`;
  const host = url.hostname.replaceAll(/^\[|\]$/g, '');
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>();
  const socket = tls.connect({
    host,
    port: url.port === '' ? 443 : Number(url.port),
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    // Only to see the certificate: it is compared with the pin, and every connection that carries data then checks it as its anchor.
    rejectUnauthorized: false,
  });
  const abort = (): void => {
    reject(new AppError({ code: 'OPERATION_CANCELLED', message: `${operation}: cancelled` }));
  };
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => reject(timeoutError(operation, 'TLS handshake', timeoutMs)), timeoutMs);
  socket.on('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) reject(untrusted(url, 'the server shows no certificate'));
    else resolve(certificate);
  });
  socket.on('error', (cause) => reject(connectionError(operation, cause)));
  // A server that wants our certificate may end the handshake after showing its own.
  socket.on('close', () => reject(connectionError(operation, undefined)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    socket.destroy();
  }
}

/**
 * Makes TLS options of a target's trust. With a pin the server is asked for its certificate first.
 *
 * @throws {AppError} DISK_OUTPUT_UNTRUSTED - another certificate than the pinned one, or no fingerprint; DISK_OUTPUT_UNAVAILABLE,
 * DISK_OUTPUT_TIMEOUT, OPERATION_CANCELLED
 */
export async function trustOptions(
  url: URL,
  trust: HttpTls,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<TrustOptions> {
  if (url.protocol !== 'https:') return {};
  const own: TrustOptions = {
    minVersion: 'TLSv1.2',
    ...(trust.cert === undefined ? {} : { cert: trust.cert }),
    ...(trust.key === undefined ? {} : { key: trust.key }),
  };
  if (trust.pinSha256 === undefined) return trust.ca === undefined ? own : { ...own, ca: trust.ca };
  const pin = normalPin(url, trust.pinSha256);
  const shown = await shownCertificate(url, timeoutMs, signal);
  const found = fingerprintOf(shown);
  if (found !== pin) throw untrusted(url, `the certificate has fingerprint ${found}, not the pinned one`);
  return {
    ...own,
    ca: shown.toString(),
    allowPartialTrustChain: true,
    // The pin says more than a name does.
    checkServerIdentity: (_host, peer) =>
      peer.fingerprint256.replaceAll(':', '').toLowerCase() === pin
        ? undefined
        : untrusted(url, 'the certificate is not the pinned one'),
  };
}
