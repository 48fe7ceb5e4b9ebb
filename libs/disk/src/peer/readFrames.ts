import type { IncomingMessage } from 'node:http';
import { Target, type Filler } from '../nbd/channel.ts';
import { decompressBlock } from './compress.ts';
import { assertSum, decodeError, decodeFrameHead, frameHeadBytes, type FrameRange } from './frame.ts';
import { breach, unreachable } from './peerErrors.ts';

/** A part of a read that is waited for. */
export interface Piece extends FrameRange {
  /** Where its bytes go. */
  readonly target: Uint8Array;
}

/** What became of the frames of one answer. */
export interface FrameEvents<P extends Piece> {
  /** The piece is filled and checked. */
  readonly onPiece: (piece: P) => void;
  /** Work that goes on off the main thread and ends in `onPiece`. */
  readonly onWork: (work: Promise<void>) => void;
  /** The end frame has come. */
  readonly onEnd: () => void;
}

async function unpack(piece: Piece, packed: Buffer, check: (plain: Buffer) => void): Promise<void> {
  const plain = await decompressBlock(packed, piece.lengthBytes).catch((cause: unknown) => {
    throw breach(`${piece.lengthBytes} bytes at ${piece.offsetBytes} cannot be unpacked`, cause);
  });
  check(plain);
  piece.target.set(plain);
}

/**
 * The parser of an answer to a data request: names the buffers that the stream fills, plain data right where it belongs. It expects
 * exactly the frames that were asked for.
 *
 * @throws {AppError} DISK_PEER_PROTOCOL, or the error that the lender tells
 */
export function* readFrames<P extends Piece>(pieces: readonly P[], events: FrameEvents<P>): Filler {
  const bytes = Buffer.alloc(frameHeadBytes);
  for (const piece of [...pieces, null]) {
    yield bytes;
    const head = decodeFrameHead(bytes, piece);
    if (head.kind === 'error') {
      const text = Buffer.alloc(head.wireBytes);
      yield text;
      throw decodeError(text.toString('utf8'));
    }
    if (piece === null) break;
    if (head.kind === 'zstd') {
      const packed = Buffer.allocUnsafeSlow(head.wireBytes);
      yield packed;
      events.onWork(
        unpack(piece, packed, (plain) => assertSum(head, plain)).then(() => events.onPiece(piece)),
      );
      continue;
    }
    if (head.kind === 'data') {
      yield piece.target;
      assertSum(head, piece.target);
    } else piece.target.fill(0);
    events.onPiece(piece);
  }
  events.onEnd();
}

/**
 * Reads an answer to its end; all buffers are out of use when it settles.
 *
 * @throws {AppError} as `readFrames`, DISK_PEER_UNREACHABLE. What the stream throws passes as it is
 */
export async function readAnswer<P extends Piece>(
  response: IncomingMessage,
  pieces: readonly P[],
  onPiece: (piece: P) => void,
): Promise<void> {
  const work: Promise<void>[] = [];
  const state = { ended: false };
  const filler = readFrames(pieces, {
    onPiece,
    onWork: (unpacking) => {
      unpacking.catch(() => undefined);
      work.push(unpacking);
    },
    onEnd: () => {
      state.ended = true;
    },
  });
  const target = new Target(filler);
  target.next();
  try {
    await new Promise<void>((resolve, reject) => {
      const stop = (cause: unknown): void => {
        response.off('data', onData);
        if (response.complete && state.ended) return;
        response.destroy();
        reject(cause instanceof Error ? cause : new Error(String(cause)));
      };
      const onData = (chunk: Buffer): void => {
        try {
          target.take(chunk);
        } catch (cause) {
          stop(cause);
        }
      };
      response.on('data', onData);
      response.once('error', stop);
      response.once('close', () => stop(unreachable('the connection ended amid an answer')));
      response.once('end', () => {
        if (state.ended) resolve();
        else stop(unreachable('an answer ended before its time'));
      });
    });
  } finally {
    await Promise.allSettled(work);
  }
  await Promise.all(work);
}
