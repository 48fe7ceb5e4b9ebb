import { parseTargetUrl } from '../outputs/httpOutput.ts';
import type { DiskSink } from '../sink.ts';
import { checkSinkRange } from '../sinks/writtenCells.ts';
import { HttpExchange, type HttpReply, type HttpTimeouts } from './httpExchange.ts';
import { http, https } from './nodeHttp.ts';
import { trustOptions, type HttpTls } from './tlsTrust.ts';
import { createZeroKeeper } from './zeroKeeper.ts';

const alignmentBytes = 512;
const zeroBlock = Buffer.alloc(1024 * 1024);
const defaultConnections = 8;

/** A request without a body that opens, closes or removes the object at the server. */
export interface HttpCall {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Default: the address of the object. */
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An object that takes ranges by `PUT` with `Content-Range: bytes FIRST-LAST/SIZE`. */
export interface HttpRangeSinkParams {
  readonly url: string;
  readonly sizeBytes: number;
  /** Sent with every request; reach neither errors nor logs. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: 'PUT' | 'PATCH';
  readonly tls?: HttpTls;
  readonly timeouts?: HttpTimeouts;
  /** Requests at once, each on a connection of its own; default 8. */
  readonly connections?: number;
  /**
   * true: a new object reads as zeros where nothing was written, so zeros are not sent. Danger: say so only when the server promises it
   * (or `create` makes it so); else blocks of an older object shine through.
   */
  readonly fresh?: boolean;
  /** Makes a new object before the first range, e.g. `PUT` with `Content-Range: bytes *\/SIZE`. Not sent on a resume. */
  readonly create?: HttpCall;
  /** Sent by `finish`, when all ranges are confirmed. */
  readonly close?: HttpCall;
  /** Sent by `abort`; "not there" is fine. */
  readonly remove?: HttpCall;
  /** The server answers HEAD with the object's length: then a transfer can be resumed. Default false. */
  readonly canProbe?: boolean;
  /** true: go on with the object that an earlier attempt left, if the probe finds it with the right length. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
}

/** A sink on something that is not ours, and whether it holds what an earlier attempt wrote. */
export interface OpenedNetworkSink {
  readonly sink: DiskSink;
  /** Danger: when false a copy must start at 0, whatever was confirmed before. */
  readonly kept: boolean;
}

interface Request {
  readonly method: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly accept?: readonly number[];
}

interface HttpClient {
  send(request: Request): Promise<HttpReply>;
  close(): void;
}

async function openClient(params: HttpRangeSinkParams): Promise<HttpClient> {
  const target = parseTargetUrl(params.url);
  const { timeouts = {}, signal } = params;
  const agentOptions = { keepAlive: true, maxSockets: params.connections ?? defaultConnections };
  const isSecure = target.protocol === 'https:';
  const trust = await trustOptions(target, params.tls ?? {}, timeouts.connectMs ?? 30_000, signal);
  const agent = isSecure ? new https.Agent(agentOptions) : new http.Agent(agentOptions);
  return {
    send: async ({ method, url, headers, body, accept }) => {
      const exchange = new HttpExchange({
        url: url === undefined ? target : parseTargetUrl(new URL(url, target).href),
        method,
        headers: { ...params.headers, ...headers },
        lengthBytes: body?.length ?? 0,
        trust,
        timeouts,
        agent,
        ...(signal === undefined ? {} : { signal }),
      });
      if (body !== undefined) await exchange.write([body]);
      return await exchange.finish(accept);
    },
    close: () => agent.destroy(),
  };
}

/** Does the object of an earlier attempt stand there with the right length? */
async function isKept(client: HttpClient, sizeBytes: number): Promise<boolean> {
  const reply = await client.send({ method: 'HEAD', accept: [404, 410] });
  return reply.status === 200 && reply.headers['content-length'] === String(sizeBytes);
}

/** Ranges on their way. */
function createRanges(params: HttpRangeSinkParams, client: HttpClient) {
  const inFlight = new Set<Promise<void>>();
  const put = async (offset: number, body: Uint8Array): Promise<void> => {
    const last = offset + body.length - 1;
    const headers = { 'content-range': `bytes ${offset}-${last}/${params.sizeBytes}` };
    await client.send({ method: params.method ?? 'PUT', headers, body });
  };
  const putZeros = async (ranges: readonly { offsetBytes: number; lengthBytes: number }[]): Promise<void> => {
    for (const { offsetBytes, lengthBytes } of ranges) {
      for (let at = 0; at < lengthBytes; at += zeroBlock.length) {
        const piece = zeroBlock.subarray(0, Math.min(zeroBlock.length, lengthBytes - at));
        await put(offsetBytes + at, piece);
      }
    }
  };
  const track = async (work: Promise<void>): Promise<void> => {
    inFlight.add(work);
    try {
      await work;
    } finally {
      inFlight.delete(work);
    }
  };
  return {
    put: (offset: number, body: Uint8Array) => track(put(offset, body)),
    putZeros: (ranges: Parameters<typeof putZeros>[0]) => track(putZeros(ranges)),
    /** @throws what a range on its way throws */
    settle: async (): Promise<void> => {
      await Promise.all(inFlight);
    },
    end: async (): Promise<void> => {
      await Promise.allSettled(inFlight);
    },
  };
}

function createRangeSink(params: HttpRangeSinkParams, client: HttpClient, kept: boolean): DiskSink {
  const { sizeBytes } = params;
  const keeper = createZeroKeeper({ sizeBytes, fresh: params.fresh ?? false, kept });
  const ranges = createRanges(params, client);
  let isOver = false;
  const call = async (request: HttpCall | undefined, accept: readonly number[] = []): Promise<void> => {
    if (request !== undefined) await client.send({ ...request, accept });
  };
  const close = (): void => {
    isOver = true;
    client.close();
  };
  return {
    alignmentBytes,
    resumable: params.canProbe ?? false,
    ordered: false,
    write: async (offset, data) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, data.length);
      if (data.length === 0) return;
      keeper.wrote(offset, data.length);
      await ranges.put(offset, data);
    },
    writeZeros: async (offset, length) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
      await ranges.putZeros(keeper.toZero(offset, length));
    },
    flush: () => ranges.settle(),
    finish: async () => {
      if (isOver) return;
      await ranges.settle();
      await ranges.putZeros(keeper.neverNamed());
      await call(params.close);
      close();
    },
    abort: async () => {
      if (isOver) return;
      isOver = true;
      await ranges.end();
      // A server that is gone cannot be told; what failed before says why.
      if (params.signal?.aborted !== true) await call(params.remove, [404, 410]).catch(() => undefined);
      close();
    },
    suspend: async () => {
      if (isOver) return;
      await ranges.end();
      close();
    },
  };
}

/**
 * A disk written by ranges over HTTP, in any order, several at once. A range is taken as durable when its answer is a success. Errors
 * are not retried here.
 *
 * @throws {AppError} DISK_OUTPUT_REJECTED, DISK_OUTPUT_REFUSED, DISK_OUTPUT_UNAVAILABLE, DISK_OUTPUT_TIMEOUT, DISK_OUTPUT_UNTRUSTED,
 * DISK_SPACE_EXHAUSTED, OPERATION_CANCELLED; calls of the sink add DISK_RANGE_INVALID
 */
export async function openHttpRangeSink(params: HttpRangeSinkParams): Promise<OpenedNetworkSink> {
  const client = await openClient(params);
  try {
    const kept =
      params.resume === true && params.canProbe === true && (await isKept(client, params.sizeBytes));
    if (!kept && params.create !== undefined) await client.send(params.create);
    return { sink: createRangeSink(params, client, kept), kept };
  } catch (cause) {
    client.close();
    throw cause;
  }
}
