import { createInbox, headers, type Msg, type Subscription } from '@nats-io/nats-core';
import { AppError, deserializeError, serializeError, toAppError, type ErrorCode } from '@ascend/errors';
import { replySchema } from '@ascend/protocol';
import type { BusConnection } from './connection.ts';
import { encodeMessage } from './publish.ts';
import type { Running } from './pull.ts';

/** Names the part of an answer: `wait` = still working, `<i>/<n>` = part i of n. */
const partHeader = 'Ascend-Part';
/** How long the asking side waits, ms: the answering side stops working then. */
const deadlineHeader = 'Ascend-Deadline-Ms';
const waitEveryMs = 3_000;
const silenceMs = 12_000;
const partBytes = 512 * 1024;
/** Largest answer on the request lane. */
const maxReplyBytes = 64 * 1024 * 1024;

/** One question with its limits. */
export interface LaneRequest {
  readonly subject: string;
  readonly body: unknown;
  /** Longest time to the whole answer. The other side is taken for dead earlier, after 12 s of silence. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Raised when nobody listens or the other side fell silent. */
  readonly offlineCode: ErrorCode;
}

function decodeReply(parts: readonly Uint8Array[], subject: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch (cause) {
    throw new AppError({ code: 'BUS_MESSAGE_INVALID', message: `ask ${subject}: answer is not JSON`, cause });
  }
  const reply = replySchema.safeParse(json);
  if (!reply.success) {
    throw new AppError({
      code: 'BUS_MESSAGE_INVALID',
      message: `ask ${subject}: answer is no reply envelope`,
    });
  }
  if (!reply.data.ok) throw deserializeError(reply.data.error);
  return reply.data.value;
}

async function collect(
  subscription: Subscription,
  request: LaneRequest,
  heard: () => void,
): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const message of subscription) {
    heard();
    if (message.headers?.code === 503) {
      throw new AppError({ code: request.offlineCode, message: `ask ${request.subject}: nobody listens` });
    }
    const part = message.headers?.get(partHeader) ?? '1/1';
    if (part === 'wait') continue;
    const [number, total] = part.split('/').map(Number);
    size += message.data.length;
    if (number !== parts.length + 1 || total === undefined || size > maxReplyBytes) {
      throw new AppError({
        code: 'BUS_MESSAGE_INVALID',
        message: `ask ${request.subject}: part ${part} after ${parts.length} parts, ${size} bytes`,
      });
    }
    parts.push(message.data);
    if (number === total) return decodeReply(parts, request.subject);
  }
  throw new AppError({ code: 'BUS_NOT_CONNECTED', message: `ask ${request.subject}: connection was closed` });
}

/**
 * Asks and waits for the whole answer, which may come in parts.
 *
 * @throws {AppError} the other side's error, `offlineCode`, BUS_REPLY_LATE, BUS_NOT_CONNECTED, BUS_MESSAGE_INVALID, OPERATION_CANCELLED
 */
export async function askOnLane(connection: BusConnection, request: LaneRequest): Promise<unknown> {
  const { nats } = connection;
  if (connection.disconnectedSince() !== null) {
    throw new AppError({ code: 'BUS_NOT_CONNECTED', message: `ask ${request.subject}: bus is away` });
  }
  const payload = encodeMessage(connection, request.subject, request.body);
  const inbox = createInbox(connection.inboxPrefix);
  const subscription = nats.subscribe(inbox);
  const failed = Promise.withResolvers<never>();
  const fail = (code: ErrorCode, what: string): void =>
    failed.reject(new AppError({ code, message: `ask ${request.subject}: ${what}` }));
  let taken = false;
  const late = setTimeout(
    () => fail(taken ? 'BUS_REPLY_LATE' : request.offlineCode, `no answer within ${request.deadlineMs} ms`),
    request.deadlineMs,
  );
  const silent = setTimeout(() => fail(request.offlineCode, `silent for ${silenceMs} ms`), silenceMs);
  const cancel = (): void => fail('OPERATION_CANCELLED', 'cancelled');
  request.signal?.addEventListener('abort', cancel, { once: true });
  if (request.signal?.aborted === true) cancel();
  try {
    const asked = headers();
    asked.set(deadlineHeader, String(request.deadlineMs));
    nats.publish(request.subject, payload, { reply: inbox, headers: asked });
    const heard = (): void => {
      taken = true;
      silent.refresh();
    };
    return await Promise.race([collect(subscription, request, heard), failed.promise]);
  } finally {
    clearTimeout(late);
    clearTimeout(silent);
    request.signal?.removeEventListener('abort', cancel);
    if (!nats.isClosed()) subscription.unsubscribe();
  }
}

/** Answers one question; the signal fires when the asking side has given up or this side stops. */
export type LaneHandler = (message: Msg, signal: AbortSignal) => Promise<unknown>;

function respondInParts(message: Msg, value: unknown, limitBytes: number): void {
  const bytes = Buffer.from(JSON.stringify(value));
  if (bytes.length > maxReplyBytes) {
    throw new AppError({
      code: 'BUS_MESSAGE_TOO_LARGE',
      message: `answer ${message.subject}: ${bytes.length} bytes, the lane takes ${maxReplyBytes}`,
      details: { sizeBytes: bytes.length, limitBytes: maxReplyBytes },
    });
  }
  const size = Math.min(partBytes, limitBytes - 4096);
  const total = Math.max(1, Math.ceil(bytes.length / size));
  for (let number = 1; number <= total; number += 1) {
    const part = headers();
    part.set(partHeader, `${number}/${total}`);
    message.respond(bytes.subarray((number - 1) * size, number * size), { headers: part });
  }
}

async function answer(
  connection: BusConnection,
  message: Msg,
  handler: LaneHandler,
  stopping: AbortSignal,
): Promise<void> {
  const limit = connection.nats.info?.max_payload ?? 1024 * 1024;
  const asked = Number(message.headers?.get(deadlineHeader) ?? '');
  const allowed = AbortSignal.timeout(asked > 0 && asked < 86_400_000 ? asked : 60_000);
  const signal = AbortSignal.any([allowed, stopping]);
  const waiting = headers();
  waiting.set(partHeader, 'wait');
  const showLife = (): void => {
    if (!connection.nats.isClosed()) message.respond('', { headers: waiting });
  };
  showLife();
  const timer = setInterval(showLife, waitEveryMs);
  try {
    const value = await handler(message, signal);
    respondInParts(message, { ok: true, value: value ?? null }, limit);
  } catch (error) {
    const known = toAppError(error, `answer ${message.subject}`);
    connection.logger.warn('request failed', {
      subject: message.subject,
      code: known.code,
      reason: known.message,
    });
    if (!connection.nats.isClosed())
      respondInParts(message, { ok: false, error: serializeError(known) }, limit);
  } finally {
    clearInterval(timer);
  }
}

/** Answers everything that arrives on `subject`, all at once; with `queue` only one of the group gets each question. */
export function answerOnLane(
  connection: BusConnection,
  params: { readonly subject: string; readonly queue?: string; readonly handler: LaneHandler },
): Running {
  const subscription = connection.nats.subscribe(
    params.subject,
    params.queue === undefined ? {} : { queue: params.queue },
  );
  const inWork = new Set<Promise<void>>();
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    for await (const message of subscription) {
      const work = answer(connection, message, params.handler, stopping.signal).finally(() =>
        inWork.delete(work),
      );
      inWork.add(work);
    }
  };
  const running = loop();
  return {
    stop: async () => {
      stopping.abort();
      if (!connection.nats.isClosed()) subscription.unsubscribe();
      await running;
      await Promise.all(inWork);
    },
  };
}

/** The part of a schema the lanes need. */
export interface Schema<T> {
  safeParse(value: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

/** Several running things as one. */
export function together(parts: readonly Running[]): Running {
  return {
    stop: async () => {
      await Promise.all(parts.map(async (part) => await part.stop()));
    },
  };
}
