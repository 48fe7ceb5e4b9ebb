import type { ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';
import { toAppError } from '@ascend/errors';
import type { BufferPool } from '../copy/bufferPool.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { compressBlock } from './compress.ts';
import { encodeFrameHead, endFrame, errorFrame, maxFrameBytes, zeroFrame, type FrameRange } from './frame.ts';
import { unreachable } from './peerErrors.ts';

/** A cap on bandwidth: resolves when the bytes may pass; rejects when the signal fires. */
export interface ByteLimiter {
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** Frames that one answer prepares at a time; each holds a buffer of the pool. */
export const framesInFlight = 4;
const zeros = Buffer.alloc(maxFrameBytes);

interface Prepared {
  readonly parts: readonly Uint8Array[];
  readonly release: () => void;
}

/** What an answer is made of. */
export interface SendFramesParams {
  readonly source: Pick<DiskSource, 'readInto'>;
  readonly ranges: readonly FrameRange[];
  readonly compress: boolean;
  /** Buffers of `maxFrameBytes`, `framesInFlight` for each answer that may run at once. */
  readonly pool: BufferPool;
  readonly limiter: ByteLimiter | null;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  /** Called after each frame: the session is alive. */
  readonly onFrame: () => void;
}

async function prepare(params: SendFramesParams, range: FrameRange): Promise<Prepared> {
  const buffer = await params.pool.acquire();
  const release = (): void => params.pool.release(buffer);
  try {
    const block = buffer.subarray(0, range.lengthBytes);
    await params.source.readInto(range.offsetBytes, block);
    if (block.equals(zeros.subarray(0, block.length))) return { parts: [zeroFrame(range)], release };
    const crc = crc32(block);
    const packed = params.compress ? await compressBlock(block) : null;
    const payload = packed ?? block;
    const kind = packed === null ? 'data' : 'zstd';
    const head = encodeFrameHead({ ...range, kind, wireBytes: payload.length, crc });
    return { parts: [head, payload], release };
  } catch (cause) {
    release();
    throw cause;
  }
}

/** Writes and waits until the bytes have left the process, so that their buffer may be used again. */
function write(response: ServerResponse, parts: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(unreachable('the connection ended amid an answer'));
    if (response.destroyed) {
      onClose();
      return;
    }
    response.once('close', onClose);
    response.cork();
    for (const part of parts.slice(0, -1)) response.write(part);
    response.write(parts.at(-1) ?? zeros.subarray(0, 0), (cause) => {
      response.off('close', onClose);
      if (cause instanceof Error) reject(cause);
      else resolve();
    });
    response.uncork();
  });
}

async function sendOne(params: SendFramesParams, frame: Prepared): Promise<void> {
  try {
    const bytes = frame.parts.reduce((sum, part) => sum + part.length, 0);
    await params.limiter?.take(bytes, params.signal);
    await write(params.response, frame.parts);
    params.onFrame();
  } finally {
    frame.release();
  }
}

/**
 * Answers with one frame per range, in their order, and an end frame; reads a few ranges ahead. A failure of the disk is told as an
 * error frame, and nothing follows it.
 *
 * @throws {AppError} DISK_PEER_UNREACHABLE - the connection ended; OPERATION_CANCELLED
 */
export async function sendFrames(params: SendFramesParams): Promise<void> {
  const { ranges, response, signal } = params;
  const ahead: Promise<Prepared>[] = [];
  let started = 0;
  const start = (): void => {
    while (ahead.length < framesInFlight && started < ranges.length && !signal.aborted) {
      const range = ranges[started];
      started += 1;
      if (range === undefined) break;
      const frame = prepare(params, range);
      // Looked at when its turn comes.
      frame.catch(() => undefined);
      ahead.push(frame);
    }
  };
  try {
    for (start(); ahead.length > 0; start()) {
      const next = ahead.shift();
      const frame = await next?.catch((cause: unknown) => toAppError(cause, 'read lent disk'));
      if (frame === undefined) continue;
      if (frame instanceof Error) {
        await write(response, [errorFrame(frame)]);
        return;
      }
      await sendOne(params, frame);
    }
    await write(response, [endFrame()]);
  } finally {
    const left = await Promise.allSettled(ahead);
    for (const frame of left) if (frame.status === 'fulfilled') frame.value.release();
  }
}
