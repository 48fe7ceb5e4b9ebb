import type { ByteOutput } from '../output.ts';
import { sectorBytes } from './sparseExtent.ts';

const batchBytes = 1024 * 1024;

/** A stream that is put together from small pieces. One call at a time. */
export interface Batches {
  /** Room for the next bytes of the stream (at most 1 MiB); the caller fills it before the next call. */
  reserve(bytes: number): Promise<Buffer>;
  append(data: Uint8Array): Promise<void>;
  /** Where the next bytes go. */
  sector(): number;
  /** Waits until the output has everything. */
  drain(): Promise<void>;
}

/** Gathers small pieces into writes of up to 1 MiB: one buffer is filled while the other is on its way. */
export function createBatches(output: Pick<ByteOutput, 'write'>): Batches {
  let filling = Buffer.allocUnsafeSlow(batchBytes);
  let spare = Buffer.allocUnsafeSlow(batchBytes);
  let filledBytes = 0;
  let totalBytes = 0;
  let writing = Promise.resolve();
  const send = async (): Promise<void> => {
    await writing;
    const full = filling.subarray(0, filledBytes);
    [filling, spare] = [spare, filling];
    filledBytes = 0;
    writing = output.write(full);
    // The failure is met by whoever waits for this write.
    writing.catch(() => undefined);
  };
  const reserve = async (bytes: number): Promise<Buffer> => {
    if (filledBytes + bytes > batchBytes) await send();
    const room = filling.subarray(filledBytes, filledBytes + bytes);
    filledBytes += bytes;
    totalBytes += bytes;
    return room;
  };
  return {
    reserve,
    append: async (data: Uint8Array): Promise<void> => {
      for (let at = 0; at < data.length; at += batchBytes) {
        const piece = data.subarray(at, at + batchBytes);
        (await reserve(piece.length)).set(piece);
      }
    },
    sector: (): number => totalBytes / sectorBytes,
    drain: async (): Promise<void> => {
      if (filledBytes > 0) await send();
      await writing;
    },
  };
}
