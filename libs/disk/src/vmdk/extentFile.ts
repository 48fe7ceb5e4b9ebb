import type { FileHandle } from 'node:fs/promises';
import { createDataWriter } from '../dataWriter.ts';
import { changeFile } from '../fileErrors.ts';

/** A file of ours under random access; offsets and lengths in bytes. */
export interface ExtentFile {
  /** Fills the whole of `target`; what lies behind the end of the file is zeros. */
  readInto(offsetBytes: number, target: Buffer): Promise<void>;
  write(offsetBytes: number, data: Uint8Array): Promise<void>;
  zero(offsetBytes: number, lengthBytes: number): Promise<void>;
  /** Makes everything written durable. */
  sync(): Promise<void>;
  /** Closes the file. Not idempotent. */
  close(): Promise<void>;
}

const zeroChunk = Buffer.alloc(1024 * 1024);

/**
 * The calls on an open file, complete and with coded errors.
 *
 * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export function extentFileOf(handle: FileHandle, filePath: string): ExtentFile {
  const writer = createDataWriter(handle, filePath);
  const write = (offset: number, data: Uint8Array): Promise<void> => writer.write(offset, data);
  return {
    readInto: (offset, target) =>
      changeFile(`read ${target.length} bytes at ${offset} of`, filePath, async () => {
        for (let done = 0; done < target.length;) {
          const { bytesRead } = await handle.read(target, done, target.length - done, offset + done);
          if (bytesRead === 0) {
            target.fill(0, done);
            return;
          }
          done += bytesRead;
        }
      }),
    write,
    zero: async (offset, length) => {
      for (let at = 0; at < length; at += zeroChunk.length) {
        await write(offset + at, zeroChunk.subarray(0, Math.min(zeroChunk.length, length - at)));
      }
    },
    sync: () => changeFile('flush', filePath, () => handle.datasync()),
    close: async () => {
      await writer.close();
      await handle.close();
    },
  };
}
