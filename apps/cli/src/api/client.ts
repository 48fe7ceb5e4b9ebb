import { AppError } from '@ascend/errors';
import type { Secret } from '@ascend/runtime';
import { Agent, errors, request, type Dispatcher } from 'undici';
import { problemToError } from './problem.ts';
import { parseServerEvents, type ServerEvent } from './serverEvents.ts';

/** The control plane's API as the commands use it. */
export interface ApiClient {
  /** @throws {AppError} the problem the API reported, CLI_API_UNREACHABLE or CLI_API_ANSWER_INVALID */
  get(path: string, query?: Readonly<Record<string, string | number | undefined>>): Promise<unknown>;
  post(path: string, body?: unknown): Promise<unknown>;
  put(path: string, body: unknown): Promise<unknown>;
  delete(path: string): Promise<unknown>;
  /** Server-sent events from `afterId` on; ends when the server ends the stream. */
  events(path: string, afterId: string | null, signal: AbortSignal): AsyncIterable<ServerEvent>;
  close(): Promise<void>;
}

/** How to reach the control plane. The token is asked for at the first call only. */
export interface ApiClientParams {
  readonly url: string;
  readonly token: () => Secret;
}

const prefix = '/api/v1';

function unreachable(url: string, cause: unknown): AppError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new AppError({
    code: 'CLI_API_UNREACHABLE',
    message: `call ${url}: ${text}`,
    details: { url },
    cause,
  });
}

async function readJson(response: Dispatcher.ResponseData): Promise<unknown> {
  const text = await response.body.text();
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const message = `read answer with status ${response.statusCode}: it is not JSON`;
    throw new AppError({
      code: 'CLI_API_ANSWER_INVALID',
      message,
      details: { start: text.slice(0, 200) },
      cause,
    });
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

interface SendParams {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Sends one request and returns the open response, whatever its status. */
function createSender(params: ApiClientParams, dispatcher: Agent) {
  return async (method: Method, path: string, more: SendParams): Promise<Dispatcher.ResponseData> => {
    const url = new URL(prefix + path, params.url);
    const body = more.body === undefined ? {} : { body: JSON.stringify(more.body) };
    const json = more.body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${params.token().reveal()}`, ...json, ...more.headers };
    const signal = more.signal === undefined ? {} : { signal: more.signal };
    try {
      return await request(url, { method, headers, dispatcher, ...body, ...signal });
    } catch (cause) {
      if (
        cause instanceof errors.RequestAbortedError ||
        (cause instanceof Error && cause.name === 'AbortError')
      ) {
        throw new AppError({
          code: 'OPERATION_CANCELLED',
          message: `call ${url.pathname}: cancelled`,
          cause,
        });
      }
      throw unreachable(url.href, cause);
    }
  };
}

/** A client over HTTP(S); certificates are always verified. */
export function createApiClient(params: ApiClientParams): ApiClient {
  // Analysis and target checks are answered when an agent is done: minutes, not seconds.
  const dispatcher = new Agent({ headersTimeout: 600_000, bodyTimeout: 0, connectTimeout: 10_000 });
  const send = createSender(params, dispatcher);
  const call = async (method: Method, path: string, body?: unknown): Promise<unknown> => {
    const response = await send(method, path, { body });
    const answer = await readJson(response);
    if (response.statusCode >= 400) throw problemToError(response.statusCode, answer);
    return answer;
  };
  return {
    get: (path, query) => {
      const search = new URLSearchParams();
      for (const [key, value] of Object.entries(query ?? {})) {
        if (value !== undefined) search.set(key, String(value));
      }
      return call('GET', search.size === 0 ? path : `${path}?${search.toString()}`);
    },
    post: (path, body) => call('POST', path, body ?? {}),
    put: (path, body) => call('PUT', path, body),
    delete: (path) => call('DELETE', path),
    events: async function* (path, afterId, signal) {
      const resume = afterId === null ? {} : { 'last-event-id': afterId };
      const response = await send('GET', path, {
        headers: { accept: 'text/event-stream', ...resume },
        signal,
      });
      if (response.statusCode >= 400) throw problemToError(response.statusCode, await readJson(response));
      yield* parseServerEvents(response.body as AsyncIterable<Uint8Array>);
    },
    close: () => dispatcher.close(),
  };
}
