import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { AppError, isAppError } from '@ascend/errors';
import { readError } from '../fileErrors.ts';
import type { ByteReader } from './imageHeader.ts';

/** An image file opened for reading only. */
export interface ImageFile extends ByteReader {
  readonly absPath: string;
  readonly mtimeMs: number;
  /** Device and inode: equal for two names of one file. */
  readonly identity: string;
  close(): Promise<void>;
}

async function readFully(handle: FileHandle, label: string, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(buffer, done, length - done, offset + done));
    } catch (cause) {
      throw readError('read', label, cause);
    }
    if (bytesRead === 0) {
      throw new AppError({
        code: 'DISK_IMAGE_TRUNCATED',
        message: `read ${label}: ${length} bytes at ${offset} are wanted, the file ends at ${offset + done}`,
        details: { file: label, offsetBytes: offset, lengthBytes: length },
      });
    }
    done += bytesRead;
  }
  return buffer;
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
    return {
      absPath,
      label,
      sizeBytes: facts.size,
      mtimeMs: Math.floor(facts.mtimeMs),
      identity: `${facts.dev}:${facts.ino}`,
      readAt: async (offset, length) => {
        // Danger: offsets come from hostile headers; the check keeps a wrong length from becoming an allocation.
        if (offset + length > facts.size) {
          throw new AppError({
            code: 'DISK_IMAGE_TRUNCATED',
            message: `read ${label}: ${length} bytes at ${offset} are wanted, the file has ${facts.size}`,
            details: { file: label, offsetBytes: offset, lengthBytes: length, sizeBytes: facts.size },
          });
        }
        return await readFully(handle, label, offset, length);
      },
      close: async () => {
        await handle.close();
      },
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
