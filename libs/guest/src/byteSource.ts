import { open } from 'node:fs/promises';
import { AppError } from '@ascend/errors';

/** Bytes of a disk, a partition or a file, by offset. Read-only; nothing below ever writes through it. */
export interface ByteSource {
  readonly sizeBytes: number;
  /**
   * Reads exactly `length` bytes.
   *
   * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - the range is not inside the source
   */
  read(offsetBytes: number, length: number): Promise<Buffer>;
}

/** A source that must be closed after use. */
export interface OpenByteSource extends ByteSource {
  close(): Promise<void>;
}

/** Refuses ranges outside `sizeBytes`: every number that leads here was read from a hostile image. */
export function assertRange(sizeBytes: number, offsetBytes: number, length: number): void {
  const fits =
    Number.isSafeInteger(offsetBytes) &&
    Number.isSafeInteger(length) &&
    offsetBytes >= 0 &&
    length >= 0 &&
    offsetBytes + length <= sizeBytes;
  if (fits) return;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_CORRUPT',
    message: `read guest: ${length} bytes at ${offsetBytes} are outside of ${sizeBytes} bytes`,
  });
}

/** A source over bytes in memory. */
export function memorySource(bytes: Buffer): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: async (offsetBytes, length) => {
      assertRange(bytes.length, offsetBytes, length);
      return bytes.subarray(offsetBytes, offsetBytes + length);
    },
  };
}

/** Opens a local file read-only. The caller closes it. */
export async function openFileSource(path: string): Promise<OpenByteSource> {
  const file = await open(path, 'r');
  const { size } = await file.stat();
  return {
    sizeBytes: size,
    read: async (offsetBytes, length) => {
      assertRange(size, offsetBytes, length);
      const target = Buffer.alloc(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(target, done, length - done, offsetBytes + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      assertRange(done, 0, length);
      return target;
    },
    close: async () => {
      await file.close();
    },
  };
}

/** The part of a source from `offsetBytes`, `sizeBytes` long (cut at the end of the source). */
export function sliceSource(source: ByteSource, offsetBytes: number, sizeBytes: number): ByteSource {
  const size = Math.max(0, Math.min(sizeBytes, source.sizeBytes - offsetBytes));
  return {
    sizeBytes: size,
    read: async (offset, length) => {
      assertRange(size, offset, length);
      return await source.read(offsetBytes + offset, length);
    },
  };
}

const cacheBlockBytes = 64 * 1024;
const cacheBlocks = 128;

/** A source with an 8 MiB cache for small reads: file system metadata is read in 4 KiB pieces, many of them twice. */
export function cachedSource(source: ByteSource): ByteSource {
  const blocks = new Map<number, Promise<Buffer>>();
  const block = (index: number): Promise<Buffer> => {
    const known = blocks.get(index);
    if (known !== undefined) return known;
    const start = index * cacheBlockBytes;
    const fresh = source.read(start, Math.min(cacheBlockBytes, source.sizeBytes - start));
    const oldest = blocks.keys().next();
    if (blocks.size >= cacheBlocks && oldest.done !== true) blocks.delete(oldest.value);
    blocks.set(index, fresh);
    return fresh;
  };
  return {
    sizeBytes: source.sizeBytes,
    read: async (offsetBytes, length) => {
      assertRange(source.sizeBytes, offsetBytes, length);
      if (length === 0) return Buffer.alloc(0);
      const first = Math.floor(offsetBytes / cacheBlockBytes);
      const last = Math.floor((offsetBytes + length - 1) / cacheBlockBytes);
      if (last - first > 1) return await source.read(offsetBytes, length);
      const parts = await Promise.all(first === last ? [block(first)] : [block(first), block(last)]);
      const from = offsetBytes - first * cacheBlockBytes;
      return Buffer.concat(parts).subarray(from, from + length);
    },
  };
}
