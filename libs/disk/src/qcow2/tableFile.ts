import type { FileHandle } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import { createDataWriter, type DataWriter } from '../dataWriter.ts';
import { changeFile } from '../fileErrors.ts';

/** A file of ours that is read and written at offsets; every error is coded. */
export interface TableFile {
  readonly path: string;
  /** Writes the pieces one behind the other. @throws {AppError} DISK_SPACE_EXHAUSTED, DISK_IO_FAILED */
  write(offset: number, pieces: readonly Uint8Array[]): Promise<void>;
  /**
   * Reads into `into`, where it is given and has this length: buffers outside of the heap pile up when each read makes its own.
   *
   * @throws {AppError} DISK_IO_FAILED; DISK_IMAGE_TRUNCATED - the file ends before
   */
  read(offset: number, length: number, into?: Buffer): Promise<Buffer>;
  /** Makes everything written durable. */
  sync(): Promise<void>;
  size(): Promise<number>;
  /** Danger: no write may be under way. */
  truncate(length: number): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

async function writePieces(
  handle: FileHandle,
  writer: DataWriter,
  offset: number,
  pieces: readonly Uint8Array[],
): Promise<void> {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) {
    await writer.write(offset, only);
    return;
  }
  const { bytesWritten } = await handle.writev(pieces, offset);
  let at = 0;
  for (const piece of pieces) {
    const done = Math.min(piece.length, Math.max(0, bytesWritten - at));
    if (done < piece.length) await writer.write(offset + at + done, piece.subarray(done));
    at += piece.length;
  }
}

/** Wraps an open file. */
export function createTableFile(handle: FileHandle, path: string): TableFile {
  const writer = createDataWriter(handle, path);
  let isOpen = true;
  return {
    path,
    write: (offset, pieces) =>
      changeFile(`write at ${offset} to`, path, () => writePieces(handle, writer, offset, pieces)),
    read: (offset, length, into) =>
      changeFile(`read ${length} bytes at ${offset} of`, path, async () => {
        const buffer = into?.length === length ? into : Buffer.allocUnsafe(length);
        for (let done = 0; done < length;) {
          const { bytesRead } = await handle.read(buffer, done, length - done, offset + done);
          if (bytesRead === 0) {
            throw new AppError({
              code: 'DISK_IMAGE_TRUNCATED',
              message: `read ${path}: ${length} bytes at ${offset} are wanted, the file ends at ${offset + done}`,
              details: { file: path, offsetBytes: offset, lengthBytes: length },
            });
          }
          done += bytesRead;
        }
        return buffer;
      }),
    sync: () => changeFile('flush', path, () => handle.datasync()),
    size: () => changeFile('read size of', path, async () => (await handle.stat()).size),
    truncate: (length) => changeFile('set length of', path, () => handle.truncate(length)),
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await writer.close();
      await handle.close();
    },
  };
}
