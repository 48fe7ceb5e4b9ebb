import type { DiskSource } from './diskSource.ts';

const blockBytes = 1024 * 1024;

/**
 * Reads all data of a disk once, in disk order, and throws it away: for measuring a source, and for checking that every byte can be
 * read. Holes and zeros are not read. Memory: `inFlight` buffers of 1 MiB.
 *
 * @returns the bytes that were read
 * @throws {AppError} as the source
 */
export async function readAll(
  source: DiskSource,
  params: { readonly inFlight?: number; readonly onBytes?: (bytes: Uint8Array, offsetBytes: number) => void },
): Promise<number> {
  const free = Array.from({ length: params.inFlight ?? 16 }, () => new Uint8Array(blockBytes));
  const running = new Set<Promise<void>>();
  const read = async (offset: number, buffer: Uint8Array<ArrayBuffer>, length: number): Promise<void> => {
    const part = buffer.subarray(0, length);
    await source.readInto(offset, part);
    params.onBytes?.(part, offset);
    free.push(buffer);
  };
  let total = 0;
  try {
    for await (const extent of source.extents(0, source.sizeBytes)) {
      if (extent.kind !== 'data') continue;
      const end = extent.offsetBytes + extent.lengthBytes;
      for (let at = extent.offsetBytes; at < end;) {
        const buffer = free.pop();
        if (buffer === undefined) {
          await Promise.race(running);
          continue;
        }
        const length = Math.min(blockBytes - (at % blockBytes), end - at);
        const reading = read(at, buffer, length).finally(() => running.delete(reading));
        running.add(reading);
        reading.catch(() => undefined);
        total += length;
        at += length;
      }
    }
    await Promise.all(running);
    return total;
  } finally {
    await Promise.allSettled(running);
  }
}
