import { randomBytes } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { categoryTraits, isAppError, serializeError, toAppError } from '@ascend/errors';
import { createBufferPool, type BufferPool } from '../copy/bufferPool.ts';
import { maxFrameBytes, type FrameRange } from './frame.ts';
import type { LentDisk } from './lentDisk.ts';
import type { LoanLife } from './loanLife.ts';
import { breach, denied } from './peerErrors.ts';
import { framesInFlight, sendFrames, type ByteLimiter } from './sendFrames.ts';
import type { PeerMode } from './ticket.ts';

// Longest body of a request.
const maxRequestBytes = 64 * 1024;
const maxRanges = 256;
// Most bytes that a probe of the rate sends.
const maxProbeBytes = 256 * 1024 * 1024;

/** What the server works on. */
export interface LendServerParams {
  readonly disk: LentDisk;
  readonly life: LoanLife;
  readonly mode: PeerMode;
  readonly links: number;
  readonly limiter: ByteLimiter | null;
  /** Dials a connection for NBD to the borrower; null when the borrower dials itself. */
  readonly dialStream: (() => Promise<void>) | null;
}

interface Exchange extends LendServerParams {
  readonly pool: BufferPool;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Call extends Exchange {
  readonly query: URLSearchParams;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > maxRequestBytes) throw breach(`a request of more than ${maxRequestBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw breach('a request that is not JSON', cause);
  }
}

function numberIn(value: unknown, min: number, max: number, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw breach(`${name} ${String(value).slice(0, 32)} is not within ${min}…${max}`);
}

/** The ranges of a data request: `[[offset, length], …]`, each within the disk and no longer than a frame. */
export function decodeRanges(value: unknown, sizeBytes: number): readonly FrameRange[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxRanges) {
    throw breach('a request without ranges, or with too many');
  }
  return value.map((entry: unknown) => {
    const [offset, length]: readonly unknown[] = Array.isArray(entry) ? entry : [];
    const offsetBytes = numberIn(offset, 0, sizeBytes, 'an offset of');
    const room = Math.min(maxFrameBytes, sizeBytes - offsetBytes);
    return { offsetBytes, lengthBytes: numberIn(length, 1, room, 'a length of') };
  });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function wantMode(call: Call, mode: 'nbd' | 'https'): void {
  if (call.mode !== 'auto' && call.mode !== mode) throw denied(`the session is not for ${mode}`);
}

async function answerData(call: Call): Promise<void> {
  wantMode(call, 'https');
  const body = await bodyOf(call.request);
  const ranges = decodeRanges(Reflect.get(Object(body), 'ranges'), call.disk.sizeBytes);
  const source = await call.life.during(() => call.disk.source());
  const gone = new AbortController();
  call.response.once('close', () => gone.abort());
  call.response.writeHead(200, { 'content-type': 'application/octet-stream' });
  await sendFrames({
    source,
    ranges,
    compress: Reflect.get(Object(body), 'zstd') === true,
    pool: call.pool,
    limiter: call.limiter,
    response: call.response,
    signal: AbortSignal.any([gone.signal, call.life.signal]),
    onFrame: () => call.life.renew(),
  });
  call.response.end();
}

async function answerProbe(call: Call): Promise<void> {
  const wanted = numberIn(Number(call.query.get('bytes') ?? Number.NaN), 0, maxProbeBytes, 'a probe of');
  // What cannot be compressed, so that nothing on the way makes the link look faster than it is.
  const chunk = randomBytes(Math.min(maxFrameBytes, wanted));
  call.response.writeHead(200, { 'content-type': 'application/octet-stream' });
  for (let sent = 0; sent < wanted && !call.response.destroyed; sent += chunk.length) {
    await call.limiter?.take(chunk.length, call.life.signal);
    const part = chunk.subarray(0, Math.min(chunk.length, wanted - sent));
    await new Promise<void>((resolve) => {
      call.response.once('close', resolve);
      call.response.write(part, () => {
        call.response.off('close', resolve);
        resolve();
      });
    });
  }
  call.response.end();
}

type Route = (call: Call) => Promise<void>;

function done(call: Call): void {
  call.response.writeHead(204).end();
}

const routes: Readonly<Record<string, Route | undefined>> = {
  'GET /disk': async (call) =>
    sendJson(call.response, 200, { sizeBytes: call.disk.sizeBytes, mode: call.mode }),
  'GET /extents': async (call) => {
    wantMode(call, 'https');
    const { sizeBytes } = call.disk;
    const from = numberIn(Number(call.query.get('from')), 0, sizeBytes, 'an offset of');
    const to = numberIn(Number(call.query.get('to')), from, sizeBytes, 'an end of');
    const page = await call.life.during(() => call.disk.extents(from, to));
    const extents = page.extents.map(({ lengthBytes, kind }) => [lengthBytes, kind]);
    sendJson(call.response, 200, { extents });
  },
  'POST /data': answerData,
  'POST /nbd': async (call) => {
    wantMode(call, 'nbd');
    const { exportName } = await call.life.during(() => call.disk.server());
    sendJson(call.response, 200, { exportName });
  },
  'POST /stream': async (call) => {
    wantMode(call, 'nbd');
    if (call.dialStream === null) throw breach('the borrower dials in this session');
    await call.dialStream();
    done(call);
  },
  'POST /check': async (call) => {
    await call.life.during(() => call.disk.assertUnchanged());
    done(call);
  },
  'POST /renew': async (call) => done(call),
  'POST /end': async (call) => {
    call.response.once('close', () => call.life.finish('returned'));
    call.response.once('finish', () => call.life.finish('returned'));
    done(call);
  },
  'GET /probe': answerProbe,
};

async function answer(call: Exchange): Promise<void> {
  const { request, response, life } = call;
  life.renew();
  try {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const route = routes[`${request.method ?? ''} ${path}`];
    if (route === undefined) throw breach('a request of an unknown kind');
    await route({ ...call, query: new URLSearchParams(query) });
  } catch (cause) {
    const error = toAppError(cause, 'answer the other agent');
    // Amid a body nothing can be told any more; the other side sees the cut.
    if (response.headersSent) response.destroy();
    else
      sendJson(
        response,
        isAppError(error) ? categoryTraits[error.category].httpStatus : 500,
        serializeError(error),
      );
  }
}

/** The HTTP server of a loan. It never listens: links are handed to it with `emit('connection', link)`. */
export function createLendServer(params: LendServerParams): http.Server {
  const pool = createBufferPool(params.links * framesInFlight, maxFrameBytes);
  const server = http.createServer((request, response) => {
    void answer({ ...params, pool, request, response });
  });
  // Links stay open between requests; the loan's own time limit ends them.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  return server;
}
