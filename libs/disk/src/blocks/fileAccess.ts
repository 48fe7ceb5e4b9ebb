import type { FileHandle } from 'node:fs/promises';
import { hasCode } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { changeFile } from '../fileErrors.ts';
import { toolError } from '../qemu/qemuError.ts';

const zeroChunk = Buffer.alloc(1024 * 1024);

/** An open file that is written, with the name for messages. */
export interface WritableFile {
  readonly handle: FileHandle;
  readonly path: string;
}

/** Writes all of `data` at `offset`. @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED */
export async function writeFully(file: WritableFile, offset: number, data: Uint8Array): Promise<void> {
  await changeFile(`write ${data.length} bytes at ${offset} to`, file.path, async () => {
    for (let done = 0; done < data.length;) {
      const { bytesWritten } = await file.handle.write(data, done, data.length - done, offset + done);
      done += bytesWritten;
    }
  });
}

/** Writes `length` zeros at `offset` in pieces of 1 MiB. @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED */
export async function writeZeroBytes(file: WritableFile, offset: number, length: number): Promise<void> {
  for (let at = 0; at < length; at += zeroChunk.length) {
    await writeFully(file, offset + at, zeroChunk.subarray(0, Math.min(zeroChunk.length, length - at)));
  }
}

/**
 * Gives every hole of the file its space, without writing the zeros. Where the file system cannot do that, the holes stay. On
 * NTFS there is nothing to do: a file has no holes there unless a program asks for them.
 *
 * @throws {AppError} DISK_SPACE_EXHAUSTED, OPERATION_CANCELLED
 */
export async function fillHoles(filePath: string, lengthBytes: number, signal?: AbortSignal): Promise<void> {
  if (process.platform === 'win32') return;
  try {
    await runProcess({
      program: 'fallocate',
      args: ['--length', String(lengthBytes), '--', filePath],
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    const error = toolError(`reserve space for ${filePath}`, cause, 'DISK_IO_FAILED');
    if (hasCode(error, 'DISK_IO_FAILED') || hasCode(error, 'PROCESS_NOT_FOUND')) return;
    throw error;
  }
}

/** Reads `length` bytes at `offset`; null when the file ends before. `length` must be a bounded number of ours. */
export async function readExactly(
  handle: FileHandle,
  offset: number,
  length: number,
): Promise<Buffer | null> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) return null;
    done += bytesRead;
  }
  return bytes;
}
