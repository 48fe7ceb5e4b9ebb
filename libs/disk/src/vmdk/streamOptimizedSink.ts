import { AppError } from '@ascend/errors';
import type { ByteOutput } from '../output.ts';
import type { DiskSink } from '../sink.ts';
import { checkSinkRange } from '../sinks/writtenCells.ts';
import { encodeDescriptor, type VmdkAdapterType } from './descriptor.ts';
import { createGrainCoder, isZeroGrain } from './grainCoder.ts';
import { createOrderedQueue } from './orderedQueue.ts';
import { checkVmdkSize, grainBytes, sectorBytes } from './sparseExtent.ts';
import { createStreamExtent, type StreamExtent } from './streamExtent.ts';

/** A streamOptimized VMDK to encode. */
export interface StreamOptimizedParams {
  /** Gets the file from start to end; finished or aborted with the sink. */
  readonly output: ByteOutput;
  readonly sizeBytes: number;
  /** zlib level 1…9, default 1: 6 takes twice the time for 7 % less size. */
  readonly level?: number;
  /** Name of the extent in the descriptor; default `disk.vmdk`. */
  readonly extentName?: string;
  /** Default `lsilogic`. */
  readonly adapterType?: VmdkAdapterType;
  /** Virtual hardware version in the descriptor; default 4. */
  readonly hardwareVersion?: number;
  /** Content id of the descriptor; default: random. */
  readonly contentId?: number;
}

interface Grain {
  readonly offsetBytes: number;
  readonly data: Uint8Array;
}

function checkOrder(nextBytes: number, offsetBytes: number): void {
  if (offsetBytes >= nextBytes) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `write at ${offsetBytes}: the stream is already at ${nextBytes} and cannot go back`,
    details: { offsetBytes, nextBytes },
  });
}

function checkLevel(level: number): void {
  if (Number.isInteger(level) && level >= 1 && level <= 9) return;
  throw new AppError({
    code: 'INTERNAL_BUG',
    message: `make VMDK: ${level} is no deflate level from 1 to 9`,
  });
}

function cancelledError(): AppError {
  return new AppError({ code: 'OPERATION_CANCELLED', message: 'write VMDK: the output was given up' });
}

/** Grains in, file out: what is left of the sink without its rules on offsets. */
function createEncoder(params: StreamOptimizedParams) {
  const { output, sizeBytes, level = 1, extentName = 'disk.vmdk' } = params;
  checkLevel(level);
  const descriptor = encodeDescriptor({
    ...params,
    createType: 'streamOptimized',
    capacitySectors: sizeBytes / sectorBytes,
    extentName,
  });
  const coder = createGrainCoder(level);
  let opened: Promise<StreamExtent> | null = null;
  let cancelled = false;
  /** A batch that waited for the one before must not follow the abort. */
  const write = async (data: Uint8Array): Promise<void> => {
    if (cancelled) throw cancelledError();
    await output.write(data);
  };
  const extent = (): Promise<StreamExtent> =>
    (opened ??= createStreamExtent({ output: { write }, sizeBytes, descriptor }));
  const queue = createOrderedQueue<Grain, readonly Uint8Array[]>({
    parallel: coder.parallel,
    // A slow grain does not stop the others, and few coded ones wait.
    window: 2 * coder.parallel,
    work: ({ data }) => coder.encode(data),
    emit: async ({ offsetBytes }, coded) => (await extent()).addGrain(offsetBytes / sectorBytes, coded),
  });
  return {
    push: (grain: Grain) => queue.push(grain),
    idle: () => queue.idle(),
    end: async (): Promise<void> => {
      await queue.idle();
      await (await extent()).end();
      coder.close();
    },
    cancel: async (): Promise<void> => {
      cancelled = true;
      queue.stop(cancelledError());
      coder.close();
      await output.abort();
    },
  };
}

/**
 * Encodes a disk as streamOptimized VMDK while it is written: grains are deflated in parallel on the thread pool, those that would not get
 * smaller are stored, zeros are left out, and the file goes out in one pass in the order of the disk. A call settles when the bytes of
 * its grains are in the next batch, so a slow output slows the writer. Memory: up to four grains per core and some batches.
 * Nothing is durable before `finish`, whatever `flush` says: a retry starts at zero.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - above 62 TiB (or, while writing, a file above 2 TiB); DISK_RANGE_INVALID; what the output throws
 */
export function createStreamOptimizedSink(params: StreamOptimizedParams): DiskSink {
  const { output, sizeBytes } = params;
  const alignmentBytes = grainBytes;
  checkVmdkSize(sizeBytes);
  const encoder = createEncoder(params);
  let nextBytes = 0;
  let ended: Promise<void> | null = null;
  const advance = (offset: number, length: number): void => {
    checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
    checkOrder(nextBytes, offset);
    nextBytes = offset + length;
  };
  return {
    alignmentBytes,
    resumable: false,
    ordered: true,
    write: async (offset, data) => {
      advance(offset, data.length);
      const pushed: Promise<void>[] = [];
      for (let at = 0; at < data.length; at += grainBytes) {
        const grain = data.subarray(at, at + grainBytes);
        if (!isZeroGrain(grain)) pushed.push(encoder.push({ offsetBytes: offset + at, data: grain }));
      }
      await Promise.all(pushed);
    },
    writeZeros: async (offset, length) => {
      advance(offset, length);
      await Promise.resolve();
    },
    flush: encoder.idle,
    finish: async () => {
      ended ??= encoder.end();
      await ended;
      await output.finish();
    },
    abort: encoder.cancel,
    // What an output has cannot be gone on with.
    suspend: encoder.cancel,
  };
}
