import tls from 'node:tls';
import { breach } from './peerErrors.ts';
import type { PeerClient } from './peerClient.ts';

/** What the way between two agents is worth. */
export interface PeerMeasure {
  /** Median of several short requests. */
  readonly rttMs: number;
  /** Bytes per second of one link, with TLS and without compression. */
  readonly bytesPerSecond: number;
  readonly tlsVersion: string;
  readonly tlsCipher: string;
  /** What `choosePeerMode` says. */
  readonly mode: 'nbd' | 'https';
}

const pings = 9;
// The first requests pay for the link and for slow start.
const warmUps = 2;
const lanRttMs = 5;
const lanBytesPerSecond = 50e6;

/**
 * NBD asks for each block and waits for it, so it needs a short round trip; what it sends cannot be compressed, so it needs a fast
 * link. Below 5 ms and from 50 MB/s on it is NBD, else the HTTPS stream.
 */
export function choosePeerMode(link: {
  readonly rttMs: number;
  readonly bytesPerSecond: number;
}): 'nbd' | 'https' {
  return link.rttMs < lanRttMs && link.bytesPerSecond >= lanBytesPerSecond ? 'nbd' : 'https';
}

/** The middle value; of an even number of values the lower one of the two. */
export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? Number.NaN;
}

async function readRate(
  client: PeerClient,
  maxBytes: number,
  maxMs: number,
): Promise<Omit<PeerMeasure, 'rttMs' | 'mode'>> {
  const response = await client.request('GET', `/probe?bytes=${maxBytes}`);
  const { socket } = response;
  if (!(socket instanceof tls.TLSSocket)) throw breach('the link is not encrypted');
  const facts = { tlsVersion: socket.getProtocol() ?? '', tlsCipher: socket.getCipher().name };
  let bytes = 0;
  let startMs = 0;
  let elapsedMs = 0;
  try {
    for await (const chunk of response) {
      if (!Buffer.isBuffer(chunk)) continue;
      // Counting starts with the first chunk: what lies before it is the round trip.
      if (startMs === 0) startMs = performance.now();
      else bytes += chunk.length;
      elapsedMs = performance.now() - startMs;
      if (elapsedMs >= maxMs) break;
    }
  } catch (cause) {
    throw client.toError(cause);
  }
  return { ...facts, bytesPerSecond: elapsedMs === 0 ? 0 : Math.round((bytes / elapsedMs) * 1000) };
}

/**
 * Measures the way to the lender over one link: round trip, rate (up to a second, up to `maxBytes`), and what TLS agreed on.
 *
 * @throws {AppError} as `PeerClient.request`
 */
export async function measureLink(client: PeerClient, maxBytes: number): Promise<PeerMeasure> {
  const rtts: number[] = [];
  for (let ping = 0; ping < pings; ping += 1) {
    const startMs = performance.now();
    await client.call('POST', '/renew');
    if (ping >= warmUps) rtts.push(performance.now() - startMs);
  }
  const rttMs = medianOf(rtts);
  const rate = await readRate(client, maxBytes, 1000);
  return { rttMs, ...rate, mode: choosePeerMode({ rttMs, bytesPerSecond: rate.bytesPerSecond }) };
}
