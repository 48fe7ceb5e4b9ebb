import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { AppError, isAppError } from '@ascend/errors';
import {
  answerChars,
  cancelledError,
  connectionError,
  shownUrl,
  statusError,
  timeoutError,
} from './httpError.ts';
import { http, https } from './nodeHttp.ts';
import type { TrustOptions } from './tlsTrust.ts';

/** How long each part of an exchange may take, in ms. */
export interface HttpTimeouts {
  /** Until the connection stands, TLS included. Default 30 s. */
  readonly connectMs?: number;
  /** Longest time without a byte taken while data is to be sent. Default 60 s. */
  readonly idleMs?: number;
  /** From the last byte sent to the head of the answer: the server may have to flush. Default 300 s. */
  readonly replyMs?: number;
}

/** One request. */
export interface HttpExchangeParams {
  readonly url: URL;
  readonly method: string;
  /** Secrets belong here: headers reach neither errors nor logs. */
  readonly headers: Readonly<Record<string, string>>;
  /** Length of the body; null = chunked. */
  readonly lengthBytes: number | null;
  readonly trust: TrustOptions;
  readonly timeouts: HttpTimeouts;
  /** An agent keeps connections for later requests; without one the connection ends with this exchange. */
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

/** The answer to a complete request. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The first characters of the body. */
  readonly text: string;
}

const defaultReplyMs = 300_000;
const restOfAnswerMs = 2000;

function nothingToDo(): void {
  // A failure reaches whoever writes or finishes next.
}

/** One request on its way: its body is written piece by piece, and an answer or a cut in the middle ends it at once. */
export class HttpExchange {
  readonly #params: HttpExchangeParams;
  readonly #operation: string;
  readonly #request: ClientRequest;
  readonly #replied = Promise.withResolvers<HttpReply>();
  #failure: AppError | null = null;
  #isSent = false;
  #isOver = false;
  #pending: { readonly resolve: (value: null) => void; readonly reject: (error: AppError) => void } | null =
    null;
  #timer: NodeJS.Timeout | undefined;
  readonly #abort = (): void => this.#fail(cancelledError(this.#operation));

  constructor(params: HttpExchangeParams) {
    this.#params = params;
    this.#operation = `${params.method} ${shownUrl(params.url)}`;
    this.#replied.promise.catch(nothingToDo);
    const { url, method, lengthBytes, headers, agent, trust } = params;
    const secure = url.protocol === 'https:';
    this.#request = (secure ? https : http).request(url, {
      method,
      agent: agent ?? false,
      headers: {
        ...headers,
        ...(lengthBytes === null
          ? { 'transfer-encoding': 'chunked' }
          : { 'content-length': String(lengthBytes) }),
      },
      ...(secure ? trust : {}),
    });
    this.#listen();
    if (params.signal?.aborted === true) this.#abort();
    params.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Writes parts in one go. The buffers may be reused once the promise is settled. */
  async write(parts: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    // One slot, not a race with a promise that lives as long as the transfer: such a race would keep every write in memory.
    const pending = Promise.withResolvers<null>();
    this.#pending = pending;
    // The request alone would make a system call of each part and of what frames a chunk. TLS would copy the parts to join them.
    const { socket } = this.#request;
    const corked = socket !== null && this.#params.url.protocol === 'http:' ? socket : null;
    corked?.cork();
    this.#request.cork();
    for (const [index, part] of parts.entries()) {
      // A failed write also ends the request, whose error says more than the one given here.
      if (index === parts.length - 1)
        this.#request.write(part, (cause) => {
          if (cause === null || cause === undefined) pending.resolve(null);
        });
      else this.#request.write(part);
    }
    this.#request.uncork();
    corked?.uncork();
    await pending.promise;
    this.#pending = null;
  }

  /** Ends the body and waits for the answer; one that is no success and not in `accept` is an error. */
  async finish(accept: readonly number[] = []): Promise<HttpReply> {
    if (this.#failure !== null) throw this.#failure;
    const { replyMs = defaultReplyMs } = this.#params.timeouts;
    this.#request.end(() => {
      this.#isSent = true;
      if (!this.#isOver)
        this.#arm(replyMs, () => timeoutError(this.#operation, 'answer to the whole body', replyMs));
    });
    const reply = await this.#replied.promise;
    const isGood = (reply.status >= 200 && reply.status < 300) || accept.includes(reply.status);
    if (!isGood) throw this.#statusError(reply);
    return reply;
  }

  /** Cuts the connection. Idempotent; never throws. */
  destroy(): void {
    this.#fail(cancelledError(this.#operation));
  }

  #statusError(reply: HttpReply): AppError {
    return statusError(this.#operation, { ...reply, retryAfter: reply.headers['retry-after'] });
  }

  #arm(ms: number, error: () => AppError): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(error()), ms);
    // The connection keeps the process alive as long as it stands.
    this.#timer.unref();
  }

  #settle(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#params.signal?.removeEventListener('abort', this.#abort);
  }

  #fail(error: AppError): void {
    if (this.#isOver) return;
    this.#settle();
    this.#failure = error;
    this.#request.destroy();
    this.#pending?.reject(error);
    this.#replied.reject(error);
  }

  #listen(): void {
    const { connectMs = 30_000, idleMs = 60_000 } = this.#params.timeouts;
    const request = this.#request;
    request.on('error', (cause) =>
      this.#fail(isAppError(cause) ? cause : connectionError(this.#operation, cause)),
    );
    request.on('close', () => this.#fail(connectionError(this.#operation, undefined)));
    request.on('response', (response) => this.#receive(response));
    request.on('socket', (socket) => {
      const stands = (): void => clearTimeout(this.#timer);
      // Not before: an agent with all its connections in use lets a request wait.
      if (socket.connecting) {
        this.#arm(connectMs, () => timeoutError(this.#operation, 'connection', connectMs));
        socket.once(this.#params.url.protocol === 'https:' ? 'secureConnect' : 'connect', stands);
      }
      request.setTimeout(idleMs, () => {
        // A source that is slow is no fault of the server, and its answer has a limit of its own.
        if (this.#pending !== null) this.#fail(timeoutError(this.#operation, 'progress', idleMs));
      });
    });
  }

  /** Reads the start of an answer. One that comes before the body was sent is an error even when it says 200. */
  #receive(response: IncomingMessage): void {
    const wasSent = this.#isSent || this.#request.writableFinished;
    const status = response.statusCode ?? 0;
    const isSuccess = wasSent && status < 300;
    const parts: Buffer[] = [];
    let length = 0;
    const done = (): void => {
      const text = Buffer.concat(parts).toString('utf8').slice(0, answerChars);
      const reply: HttpReply = { status, headers: response.headers, text };
      if (!wasSent) this.#fail(status >= 300 ? this.#statusError(reply) : this.#tooEarly(status));
      else if (!this.#isOver) {
        this.#settle();
        this.#replied.resolve(reply);
      }
    };
    // What is behind the first characters is read and dropped, so that the connection can be used again.
    response.on('data', (part: Buffer) => {
      if (length < 4 * answerChars) parts.push(part);
      length += part.length;
    });
    response.on('end', done);
    // Of a refusal the start is enough; a success counts only when its answer is whole.
    const cut = (cause?: unknown): void =>
      isSuccess ? this.#fail(connectionError(this.#operation, cause)) : done();
    response.on('aborted', cut);
    response.on('error', cut);
    const { replyMs = defaultReplyMs } = this.#params.timeouts;
    if (isSuccess) this.#arm(replyMs, () => timeoutError(this.#operation, 'end of the answer', replyMs));
    else this.#arm(restOfAnswerMs, () => this.#statusError({ status, headers: response.headers, text: '' }));
  }

  #tooEarly(status: number): AppError {
    return new AppError({
      code: 'DISK_OUTPUT_REJECTED',
      message: `${this.#operation}: the server answers ${status} before it has the whole body`,
      details: { status },
    });
  }
}
