import { AppError } from '@ascend/errors';
import { HttpExchange, type HttpTimeouts } from '../network/httpExchange.ts';
import { shownUrl } from '../network/httpError.ts';
import { trustOptions, type HttpTls } from '../network/tlsTrust.ts';
import type { ByteOutput } from '../output.ts';
import { createGather } from './gather.ts';

// Holds what is smaller than a block: headers and the like.
const waitingBytes = 256 * 1024;

/** Where one long body goes. */
export interface OpenHttpOutputParams {
  /** http or https. A user or password in it is refused: secrets belong in headers. */
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  /** Reach neither errors nor logs. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Exact length of the body; null = chunked. */
  readonly lengthBytes: number | null;
  readonly tls?: HttpTls;
  readonly timeouts?: HttpTimeouts;
  readonly signal?: AbortSignal;
}

/**
 * The address of a target.
 *
 * @throws {AppError} DISK_OUTPUT_REJECTED - no address of http or https, or one with credentials in it
 */
export function parseTargetUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const problem =
    url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')
      ? 'the address is no http or https URL'
      : url.username !== '' || url.password !== ''
        ? 'the address holds credentials; they belong in a header'
        : null;
  if (url !== null && problem === null) return url;
  throw new AppError({ code: 'DISK_OUTPUT_REJECTED', message: `open target: ${String(problem)}` });
}

function wrongLength(label: string, announced: number, found: string): AppError {
  return new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `send to ${label}: ${announced} bytes were announced, ${found}`,
    details: { url: label, lengthBytes: announced },
  });
}

/**
 * One request with one long body. It starts with the first write; an answer or a cut in the middle of the body fails the pending call
 * at once. `finish` ends the body and waits for the success of the server; `abort` cuts the connection, and it is the server that
 * forgets an incomplete body.
 *
 * @throws {AppError} DISK_OUTPUT_REJECTED; its calls: DISK_OUTPUT_REFUSED, DISK_OUTPUT_REJECTED, DISK_OUTPUT_UNAVAILABLE,
 * DISK_OUTPUT_TIMEOUT, DISK_OUTPUT_UNTRUSTED, DISK_SPACE_EXHAUSTED, DISK_RANGE_INVALID - more or less than announced;
 * OPERATION_CANCELLED
 */
export function openHttpOutput(params: OpenHttpOutputParams): ByteOutput {
  const url = parseTargetUrl(params.url);
  const label = shownUrl(url);
  const { lengthBytes, timeouts = {}, signal } = params;
  let written = 0;
  let exchange: HttpExchange | null = null;
  let isFinished = false;
  let isAborted = false;
  const start = async (): Promise<HttpExchange> => {
    if (isAborted)
      throw new AppError({ code: 'OPERATION_CANCELLED', message: `send to ${label}: it was aborted` });
    if (exchange !== null) return exchange;
    const trust = await trustOptions(url, params.tls ?? {}, timeouts.connectMs ?? 30_000, signal);
    exchange = new HttpExchange({
      url,
      method: params.method,
      headers: params.headers ?? {},
      lengthBytes,
      trust,
      timeouts,
      ...(signal === undefined ? {} : { signal }),
    });
    return exchange;
  };
  const gather = createGather(waitingBytes, async (parts) => {
    await (await start()).write(parts);
  });
  return {
    write: async (data) => {
      written += data.length;
      if (lengthBytes !== null && written > lengthBytes)
        throw wrongLength(label, lengthBytes, `there are ${written} and more`);
      await gather.write(data);
    },
    finish: async () => {
      if (isFinished) return;
      await gather.flush();
      if (lengthBytes !== null && written !== lengthBytes)
        throw wrongLength(label, lengthBytes, `only ${written} were written`);
      await (await start()).finish();
      isFinished = true;
    },
    abort: async () => {
      isAborted = true;
      exchange?.destroy();
      await Promise.resolve();
    },
  };
}
