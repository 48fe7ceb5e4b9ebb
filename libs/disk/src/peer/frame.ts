import { crc32 } from 'node:zlib';
import {
  deserializeError,
  isAppError,
  serializeError,
  type AppError,
  type ErrorDetails,
} from '@ascend/errors';
import { breach } from './peerErrors.ts';

/** One range of a disk, as it is asked for and answered: at most `maxFrameBytes` long. */
export interface FrameRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** `data`: as it is; `zstd`: one zstd frame; `zero`: nothing follows; `error`: a coded error as JSON; `end`: nothing more comes. */
type FrameKind = 'data' | 'zstd' | 'zero' | 'error' | 'end';

/** Head of a frame. */
export interface FrameHead extends FrameRange {
  readonly kind: FrameKind;
  /** Bytes that follow the head. */
  readonly wireBytes: number;
  /** CRC-32 over the plain bytes of `data` and `zstd`; else 0. */
  readonly crc: number;
}

// magic 4, kind 1, zeros 3, offset 8, length 4, wire length 4, CRC-32 4; numbers are big-endian.
// Whoever is between the agents is kept off by TLS, which proves each record; the sum finds faults of this code and of memory on the
// way. A SHA-256 instead cost both ends a third of their CPU.
const magic = 0x41_46_52_32;
const kinds: readonly FrameKind[] = ['data', 'zstd', 'zero', 'error', 'end'];
const maxErrorBytes = 64 * 1024;

/** Bytes of a frame's head. */
export const frameHeadBytes = 28;
/** Longest range of one frame: a block of the copy. */
export const maxFrameBytes = 1024 * 1024;

/** The bytes before a frame's payload. */
export function encodeFrameHead(head: FrameHead): Buffer {
  const bytes = Buffer.alloc(frameHeadBytes);
  bytes.writeUInt32BE(magic, 0);
  bytes[4] = kinds.indexOf(head.kind);
  bytes.writeBigUInt64BE(BigInt(head.offsetBytes), 8);
  bytes.writeUInt32BE(head.lengthBytes, 16);
  bytes.writeUInt32BE(head.wireBytes, 20);
  bytes.writeUInt32BE(head.crc, 24);
  return bytes;
}

/** The frame that ends an answer. */
export function endFrame(): Buffer {
  return encodeFrameHead({ kind: 'end', offsetBytes: 0, lengthBytes: 0, wireBytes: 0, crc: 0 });
}

/** A frame that carries an error. */
export function errorFrame(error: AppError): Buffer {
  const { code, message, hint } = error;
  let text = Buffer.from(JSON.stringify(serializeError(error)));
  if (text.length > maxErrorBytes) {
    text = Buffer.from(
      JSON.stringify({ code, message: message.slice(0, 1000), hint, details: {}, causes: [] }),
    );
  }
  const head = {
    kind: 'error',
    offsetBytes: 0,
    lengthBytes: 0,
    wireBytes: text.length,
    crc: 0,
  } as const;
  return Buffer.concat([encodeFrameHead(head), text]);
}

/** The frame of a range that reads as zeros. */
export function zeroFrame(range: FrameRange): Buffer {
  return encodeFrameHead({ ...range, kind: 'zero', wireBytes: 0, crc: 0 });
}

function isFit(kind: FrameKind, lengthBytes: number, wireBytes: number): boolean {
  if (kind === 'data') return wireBytes === lengthBytes;
  if (kind === 'zstd') return wireBytes > 0 && wireBytes < lengthBytes;
  return kind === 'error' ? wireBytes <= maxErrorBytes : wireBytes === 0;
}

/**
 * Reads a head and compares it with the range that must come now; `null`: only the end may come. All lengths are in bounds afterwards.
 *
 * @throws {AppError} DISK_PEER_PROTOCOL
 */
export function decodeFrameHead(bytes: Buffer, expected: FrameRange | null): FrameHead {
  const kind = kinds[bytes[4] ?? kinds.length];
  if (bytes.readUInt32BE(0) !== magic || bytes.readUIntBE(5, 3) !== 0 || kind === undefined) {
    throw breach('what came is not a frame');
  }
  const range = { offsetBytes: Number(bytes.readBigUInt64BE(8)), lengthBytes: bytes.readUInt32BE(16) };
  const wireBytes = bytes.readUInt32BE(20);
  const wanted = kind === 'error' || kind === 'end' ? { offsetBytes: 0, lengthBytes: 0 } : expected;
  const isWanted =
    wanted !== null && wanted.offsetBytes === range.offsetBytes && wanted.lengthBytes === range.lengthBytes;
  if (!isWanted || (kind === 'end' && expected !== null) || !isFit(kind, range.lengthBytes, wireBytes)) {
    const found = `${kind} of ${range.lengthBytes} bytes at ${range.offsetBytes}`;
    const asked = expected === null ? 'the end' : `${expected.lengthBytes} bytes at ${expected.offsetBytes}`;
    throw breach(`${found} came for ${asked}`);
  }
  return { ...range, kind, wireBytes, crc: bytes.readUInt32BE(24) };
}

/** @throws {AppError} DISK_PEER_PROTOCOL - the bytes are not those that were sent */
export function assertSum(head: FrameHead, plain: Uint8Array): void {
  if (crc32(plain) === head.crc) return;
  throw breach(`${head.lengthBytes} bytes at ${head.offsetBytes} do not match their checksum`);
}

function isDetails(value: unknown): value is ErrorDetails {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(
    (entry) =>
      entry === null ||
      ['string', 'number', 'boolean'].includes(typeof entry) ||
      (Array.isArray(entry) && entry.every((item) => typeof item === 'string')),
  );
}

/** The error that the other agent tells as JSON; a text that is none becomes DISK_PEER_PROTOCOL. */
export function decodeError(text: string): AppError {
  try {
    const value: unknown = JSON.parse(text);
    const field = (name: string): unknown => Reflect.get(Object(value), name);
    const [code, message, hint, details, causes] = ['code', 'message', 'hint', 'details', 'causes'].map(
      field,
    );
    if (typeof code !== 'string' || typeof message !== 'string' || typeof hint !== 'string') {
      throw breach('an error without code');
    }
    return deserializeError({
      code,
      message,
      hint,
      details: isDetails(details) ? details : {},
      causes: Array.isArray(causes) ? causes.map(String).slice(0, 8) : [],
    });
  } catch (cause) {
    return isAppError(cause) ? cause : breach('an error that cannot be read', cause);
  }
}
