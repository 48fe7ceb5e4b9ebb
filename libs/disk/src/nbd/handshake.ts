import { AppError } from '@ascend/errors';
import { encodeGo, encodeMetaContext, encodeOption, magic, option, optionReply } from './protocol.ts';

/** What the server tells about an export. */
export interface ExportFacts {
  readonly sizeBytes: number;
  readonly flags: number;
  /** Number of the `base:allocation` context; null when it was not negotiated. */
  readonly contextId: number | null;
}

/** The handshake as a part of the connection's parser: yields buffers to fill, returns what was learned. */
export interface Handshake {
  run(): Generator<Uint8Array, ExportFacts, void>;
}

interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

const maxReplyBytes = 64 * 1024;

function refuse(problem: string): AppError {
  return new AppError({ code: 'DISK_NBD_PROTOCOL', message: `connect to block server: ${problem}` });
}

function* readOptionReply(expected: number): Generator<Uint8Array, OptionReply, void> {
  const head = Buffer.alloc(20);
  yield head;
  if (head.readBigUInt64BE(0) !== magic.optionReply || head.readUInt32BE(8) !== expected) {
    throw refuse(`an answer to option ${expected} is malformed`);
  }
  const length = head.readUInt32BE(16);
  if (length > maxReplyBytes) throw refuse(`an option answer of ${length} bytes`);
  const data = Buffer.alloc(length);
  yield data;
  return { type: head.readUInt32BE(12), data };
}

function exportRefused(exportName: string, type: number): AppError {
  if (type !== optionReply.tlsRequired) {
    return refuse(`export ${JSON.stringify(exportName)} is refused (0x${type.toString(16)})`);
  }
  const message = 'connect to block server: it takes only clients that start TLS';
  return new AppError({ code: 'DISK_PEER_DENIED', message });
}

function isRefusal(type: number): boolean {
  return type >= optionReply.errorBit;
}

/**
 * The fixed newstyle handshake up to NBD_OPT_GO. Sends through `send`, reports once through `onReady`.
 *
 * @throws {AppError} DISK_NBD_PROTOCOL - not newstyle, or the export is not known; DISK_PEER_DENIED - it wants TLS
 */
export function handshake(
  params: {
    readonly exportName: string;
    readonly withStatus: boolean;
    /** The greeting was exchanged before TLS was started. */
    readonly greeted: boolean;
  },
  send: (...parts: readonly Uint8Array[]) => void,
  onReady: (facts: ExportFacts) => void,
): Handshake {
  function* greet(): Generator<Uint8Array, void, void> {
    const head = Buffer.alloc(18);
    yield head;
    if (head.readBigUInt64BE(0) !== magic.server || head.readBigUInt64BE(8) !== magic.option) {
      throw refuse('the greeting is not the newstyle one');
    }
    if ((head.readUInt16BE(16) & 1) === 0) throw refuse('the server lacks the fixed newstyle handshake');
    // Fixed newstyle, no trailing zeroes.
    send(Buffer.from([0, 0, 0, 3]));
  }

  function* negotiateStatus(): Generator<Uint8Array, number | null, void> {
    send(encodeOption(option.structuredReply, Buffer.alloc(0)));
    if (isRefusal((yield* readOptionReply(option.structuredReply)).type)) return null;
    send(encodeOption(option.setMetaContext, encodeMetaContext(params.exportName, 'base:allocation')));
    let contextId: number | null = null;
    for (;;) {
      const reply = yield* readOptionReply(option.setMetaContext);
      if (reply.type === optionReply.metaContext && reply.data.length >= 4)
        contextId = reply.data.readUInt32BE(0);
      else if (reply.type === optionReply.ack || isRefusal(reply.type)) return contextId;
    }
  }

  function* go(contextId: number | null): Generator<Uint8Array, ExportFacts, void> {
    send(encodeOption(option.go, encodeGo(params.exportName)));
    let facts: ExportFacts | null = null;
    for (;;) {
      const reply = yield* readOptionReply(option.go);
      if (isRefusal(reply.type)) throw exportRefused(params.exportName, reply.type);
      if (reply.type === optionReply.info && reply.data.length >= 12 && reply.data.readUInt16BE(0) === 0) {
        const size = reply.data.readBigUInt64BE(2);
        if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse(`an export of ${size} bytes`);
        facts = { sizeBytes: Number(size), flags: reply.data.readUInt16BE(10), contextId };
      }
      if (reply.type !== optionReply.ack) continue;
      if (facts === null) throw refuse('the server did not tell the size');
      return facts;
    }
  }

  return {
    *run() {
      if (!params.greeted) yield* greet();
      const contextId = params.withStatus ? yield* negotiateStatus() : null;
      const facts = yield* go(contextId);
      onReady(facts);
      return facts;
    },
  };
}
