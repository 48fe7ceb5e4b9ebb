import http, { type IncomingMessage } from 'node:http';
import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { createBackoff } from './backoff.ts';
import { decodeError } from './frame.ts';
import { breach, connectionError, ended, isCut } from './peerErrors.ts';
import { createLinkAgent } from './linkAgent.ts';
import type { LinkSupply } from './supply.ts';

/** Requests to the lender. */
export interface PeerClient {
  /**
   * Sends a request and returns the answer's beginning; the answer must be read or destroyed.
   *
   * @throws {AppError} what the lender tells, DISK_PEER_UNREACHABLE, DISK_PEER_DENIED, DISK_PEER_ENDED, DISK_PEER_PROTOCOL, OPERATION_CANCELLED
   */
  request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<IncomingMessage>;
  /** A short request: reads the whole answer; repeats it after a cut until `giveUpAfterMs` have passed. @throws as `request` */
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown>;
  /** The coded error for what a request or the reading of its answer threw. */
  toError(cause: unknown): AppError;
  /** Fires when nothing more will be answered. */
  readonly signal: AbortSignal;
  /** Cuts what is pending. Idempotent. */
  close(): void;
}

/** How requests are made. */
export interface PeerClientParams {
  readonly supply: LinkSupply;
  readonly links: number;
  /** Longest silence amid a request. */
  readonly silenceMs: number;
  readonly giveUpAfterMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

const maxAnswerBytes = 4 * 1024 * 1024;

/** Reads a whole short answer. */
async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw breach(`an answer of more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw breach('an answer that is not JSON', cause);
  }
}

type Method = 'GET' | 'POST';

function send(
  params: PeerClientParams & { readonly agent: http.Agent; readonly signal: AbortSignal },
  method: Method,
  path: string,
  body: unknown,
): Promise<IncomingMessage> {
  const { agent, signal, silenceMs } = params;
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { host: 'peer', 'content-length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, method, path, signal, headers });
    request.setTimeout(silenceMs, () => request.destroy(new Error(`silent for ${silenceMs} ms`)));
    request.on('response', resolve);
    request.on('error', reject);
    request.end(text);
  });
}

/** Repeats what a cut ended, with jitter. */
async function repeated<T>(
  params: PeerClientParams,
  signal: AbortSignal,
  step: () => Promise<T>,
): Promise<T> {
  const { clock } = params;
  const backoff = createBackoff(clock);
  const giveUpAtMs = clock.now() + params.giveUpAfterMs;
  for (;;) {
    try {
      return await step();
    } catch (cause) {
      if (!isCut(cause) || clock.now() >= giveUpAtMs) throw cause;
      await backoff.wait(signal);
    }
  }
}

/** Sends requests over the links of a session, each link one at a time. */
export function createPeerClient(params: PeerClientParams): PeerClient {
  const closing = new AbortController();
  const signal = AbortSignal.any([params.signal, closing.signal]);
  const agent = createLinkAgent(params.supply, params.links, signal);
  const toError = (cause: unknown): AppError => {
    if (params.signal.aborted) {
      return new AppError({
        code: 'OPERATION_CANCELLED',
        message: 'talk to the other agent: cancelled',
        cause,
      });
    }
    return closing.signal.aborted ? ended('it was closed') : connectionError('a link', cause);
  };
  const request = async (method: Method, path: string, body?: unknown): Promise<IncomingMessage> => {
    try {
      const response = await send({ ...params, agent, signal }, method, path, body);
      // What fails later is looked at by whoever reads.
      response.on('error', () => undefined);
      if (response.statusCode === 200 || response.statusCode === 204) return response;
      throw decodeError(await textOf(response));
    } catch (cause) {
      throw toError(cause);
    }
  };
  const answerTo = async (method: Method, path: string, body: unknown): Promise<unknown> => {
    try {
      return parsed(await textOf(await request(method, path, body)));
    } catch (cause) {
      throw toError(cause);
    }
  };
  // One at a time, so that one link is enough for them.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (step: () => Promise<unknown>): Promise<unknown> => {
    const turn = last.then(step);
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    signal,
    request,
    toError,
    call: async (method, path, body) => {
      try {
        return await repeated(params, signal, () => inTurn(() => answerTo(method, path, body)));
      } catch (cause) {
        throw toError(cause);
      }
    },
    close: () => {
      closing.abort();
      agent.destroy();
    },
  };
}
