import { constants, read as readFile } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { AppError, isAppError } from '@ascend/errors';
import { readError } from '../fileErrors.ts';
import { InFlight } from '../inFlight.ts';
import type { ByteReader } from './imageHeader.ts';

/** An image file opened for reading only. */
export interface ImageFile extends ByteReader {
  readonly absPath: string;
  readonly mtimeMs: number;
  /** Device and inode: equal for two names of one file. */
  readonly identity: string;
  /** What the file takes on its storage; less than its size when it has holes (or is packed by the file system). */
  readonly allocatedBytes: number;
  /**
   * Fills the whole of `target` from the file, without a copy on the way; the buffer is in use until the promise settles.
   *
   * @throws {AppError} DISK_IMAGE_TRUNCATED - the range ends behind the end of the file; DISK_FILE_UNREADABLE
   */
  readInto(offsetBytes: number, target: Uint8Array): Promise<void>;
  /** Waits for reads in flight: their buffers are still in use. Idempotent. */
  close(): Promise<void>;
}

function truncated(label: string, offset: number, length: number, endBytes: number): AppError {
  return new AppError({
    code: 'DISK_IMAGE_TRUNCATED',
    message: `read ${label}: ${length} bytes at ${offset} are wanted, the file ends at ${endBytes}`,
    details: { file: label, offsetBytes: offset, lengthBytes: length, sizeBytes: endBytes },
  });
}

/** Reads by descriptor, with less work per call than `FileHandle.read`; it must stay open until all have settled. */
class Reads {
  readonly #fd: number;
  readonly #label: string;
  readonly #inFlight = new InFlight();

  constructor(fd: number, label: string) {
    this.#fd = fd;
    this.#label = label;
  }

  readInto(offset: number, target: Uint8Array): Promise<void> {
    if (target.length === 0) return Promise.resolve();
    this.#inFlight.begin();
    return new Promise((resolve, reject) => {
      const end = (cause: AppError | null): void => {
        this.#inFlight.end();
        if (cause === null) resolve();
        else reject(cause);
      };
      const more = (done: number): void => {
        readFile(this.#fd, target, done, target.length - done, offset + done, (cause, bytesRead) => {
          if (cause !== null) end(readError('read', this.#label, cause));
          else if (bytesRead === 0) end(truncated(this.#label, offset, target.length, offset + done));
          else if (done + bytesRead < target.length) more(done + bytesRead);
          else end(null);
        });
      };
      more(0);
    });
  }

  settle(): Promise<void> {
    return this.#inFlight.settle();
  }
}

/**
 * Opens an image file read-only. A pipe does not block: only regular files are accepted. The caller closes it.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE; DISK_FILE_NOT_REGULAR - folder, device, pipe, socket
 */
export async function openImageFile(absPath: string, label: string = absPath): Promise<ImageFile> {
  let handle: FileHandle;
  try {
    // Opening a device can have side effects, so its kind is asked first.
    if (!(await stat(absPath)).isFile()) throw notRegular(label, undefined);
    handle = await open(absPath, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if (isAppError(cause)) throw cause;
    throw readError('open', label, cause);
  }
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) throw notRegular(label, undefined);
    const reads = new Reads(handle.fd, label);
    let closing: Promise<void> | null = null;
    const check = (offset: number, length: number): void => {
      // Danger: the number of a closed descriptor may by now belong to another file.
      if (closing !== null) throw readError('read', label, new Error('it is closed'));
      // Danger: offsets come from hostile headers; the check keeps a wrong length from becoming an allocation.
      if (offset + length > facts.size) throw truncated(label, offset, length, facts.size);
    };
    return {
      absPath,
      label,
      sizeBytes: facts.size,
      mtimeMs: Math.floor(facts.mtimeMs),
      identity: `${facts.dev}:${facts.ino}`,
      allocatedBytes: facts.blocks * 512,
      readAt: async (offset, length) => {
        check(offset, length);
        const buffer = Buffer.alloc(length);
        await reads.readInto(offset, buffer);
        return buffer;
      },
      readInto: async (offset, target) => {
        check(offset, target.length);
        await reads.readInto(offset, target);
      },
      close: () => (closing ??= reads.settle().then(() => handle.close())),
    };
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

function notRegular(label: string, cause: unknown): AppError {
  return new AppError({
    code: 'DISK_FILE_NOT_REGULAR',
    message: `open ${label}: this is no regular file`,
    details: { file: label },
    ...(cause === undefined ? {} : { cause }),
  });
}
