import { AppError } from '@ascend/errors';
import type { ByteOutput } from '../output.ts';
import type { DiskSink } from '../sink.ts';
import { checkSinkRange } from '../sinks/writtenCells.ts';
import { FrameEncoder, frameDataBytes, type StreamChecksum } from './extentStream.ts';

const zeroBlock = Buffer.alloc(1024 * 1024);
const alignmentBytes = 512;

/** How a disk becomes one stream. */
export interface StreamSinkParams {
  readonly output: ByteOutput;
  readonly sizeBytes: number;
  /** `raw`: every byte of the disk in order, exactly `sizeBytes`. `extents`: frames, holes left out (see extentStream.ts). */
  readonly mode: 'raw' | 'extents';
  /** Of `extents`; default `data`. `heads` halves the CPU time, where TLS or a digest of the disk protects the data. */
  readonly checksum?: StreamChecksum;
}

/** Puts parts of a disk on the output, in order. */
interface Framing {
  data(offset: number, data: Uint8Array): Promise<void>;
  zeros(offset: number, length: number): Promise<void>;
  end(): Promise<void>;
}

function rawFraming(output: ByteOutput, sizeBytes: number): Framing {
  let position = 0;
  const fill = async (to: number): Promise<void> => {
    while (position < to) {
      const piece = zeroBlock.subarray(0, Math.min(zeroBlock.length, to - position));
      position += piece.length;
      await output.write(piece);
    }
  };
  return {
    data: async (offset, data) => {
      await fill(offset);
      position += data.length;
      await output.write(data);
    },
    zeros: (offset, length) => fill(offset + length),
    end: () => fill(sizeBytes),
  };
}

function extentFraming(output: ByteOutput, sizeBytes: number, checksum: StreamChecksum): Framing {
  const encoder = new FrameEncoder(checksum);
  let isStarted = false;
  const start = async (): Promise<void> => {
    if (isStarted) return;
    isStarted = true;
    await output.write(encoder.start(sizeBytes));
  };
  return {
    data: async (offset, data) => {
      await start();
      for (let at = 0; at < data.length; at += frameDataBytes) {
        const piece = data.subarray(at, at + frameDataBytes);
        await output.write(encoder.head('data', offset + at, piece.length, piece));
        await output.write(piece);
      }
    },
    zeros: async (offset, length) => {
      await start();
      await output.write(encoder.head('zero', offset, length));
    },
    end: async () => {
      await start();
      await output.write(encoder.end(sizeBytes));
    },
  };
}

/**
 * A disk as one stream on a byte output. Nothing is copied: blocks go out from the buffer they were read into. It cannot be resumed:
 * `suspend` ends like `abort`, and `flush` waits for what was handed over but makes nothing durable before `finish`.
 *
 * Calls add DISK_RANGE_INVALID - not in growing order, outside the disk - to the errors of the output.
 */
export function createStreamSink(params: StreamSinkParams): DiskSink {
  const { output, sizeBytes, mode, checksum = 'data' } = params;
  const framing = mode === 'raw' ? rawFraming(output, sizeBytes) : extentFraming(output, sizeBytes, checksum);
  let position = 0;
  let isFinished = false;
  // The calls that are on their way, one behind the other; after a failure every later one fails too.
  let line: Promise<void> = Promise.resolve();
  const enqueue = (run: () => Promise<void>): Promise<void> => {
    line = line.then(run);
    line.catch(() => undefined);
    return line;
  };
  const advance = (offset: number, length: number): void => {
    checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
    if (offset < position) {
      throw new AppError({
        code: 'DISK_RANGE_INVALID',
        message: `write ${length} bytes at ${offset}: a stream is at ${position} already`,
        details: { offsetBytes: offset, lengthBytes: length, positionBytes: position },
      });
    }
    position = offset + length;
  };
  const abort = async (): Promise<void> => {
    if (!isFinished) await output.abort();
  };
  return {
    alignmentBytes,
    resumable: false,
    ordered: true,
    write: async (offset, data) => {
      advance(offset, data.length);
      if (data.length > 0) await enqueue(() => framing.data(offset, data));
    },
    writeZeros: async (offset, length) => {
      advance(offset, length);
      if (length > 0) await enqueue(() => framing.zeros(offset, length));
    },
    flush: () => line,
    finish: async () => {
      if (isFinished) return;
      await enqueue(() => framing.end());
      await output.finish();
      isFinished = true;
    },
    abort,
    suspend: abort,
  };
}
