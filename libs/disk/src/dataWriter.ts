import { constants, write as writeFile } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isAligned } from './alignedMemory.ts';
import { changeFile } from './fileErrors.ts';
import { InFlight } from './inFlight.ts';

// What file systems and devices ask for at most.
const unitBytes = 4096;
// Smaller pieces gain little, and the page cache may join them.
const minDirectBytes = 64 * 1024;
// Missing on systems without it.
const directFlag: number | undefined = constants.O_DIRECT;

/** Writes the data of a file of ours, whole and at offsets. */
export interface DataWriter {
  /**
   * Big aligned pieces go past the page cache, everything else through it; for readers there is no difference. The buffer is in
   * use until the promise settles.
   *
   * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
   */
  write(offsetBytes: number, data: Uint8Array): Promise<void>;
  /** Waits for writes under way; later ones fail. The file must not be closed before. Idempotent; never throws. */
  close(): Promise<void>;
}

function pwrite(fd: number, data: Uint8Array, from: number, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writeFile(fd, data, from, data.length - from, offset, (cause, written) => {
      if (cause === null) resolve(written);
      else reject(cause);
    });
  });
}

function isRefused(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'EINVAL' || cause.code === 'ENOTSUP');
}

/** A second descriptor of the file that passes the page cache by; null where there is none. */
async function openDirect(handle: FileHandle, filePath: string): Promise<FileHandle | null> {
  if (directFlag === undefined) return null;
  const direct = await open(filePath, constants.O_WRONLY | directFlag).catch(() => null);
  if (direct === null) return null;
  const [ours, its] = await Promise.all([handle.stat(), direct.stat()]);
  // Danger: the name may by now belong to another file.
  if (ours.dev === its.dev && ours.ino === its.ino) return direct;
  await direct.close();
  return null;
}

/**
 * The writer of an open file. Data that is written once and then flushed gains nothing in the page cache: allocating its pages cost
 * five times the CPU of the copy (measured), and it pushes out what others keep there. Durability is as before: it is the flush of the
 * file that makes data durable.
 */
export function createDataWriter(handle: FileHandle, filePath: string): DataWriter {
  let direct: Promise<FileHandle | null> | null = null;
  let isDirectRefused = false;

  const writeBuffered = async (offset: number, data: Uint8Array, from: number): Promise<void> => {
    for (let done = from; done < data.length;) {
      const { bytesWritten } = await handle.write(data, done, data.length - done, offset + done);
      done += bytesWritten;
    }
  };

  /** How many bytes went past the page cache; the rest is left to it. */
  const writeDirect = async (offset: number, data: Uint8Array): Promise<number> => {
    const opened = await (direct ??= openDirect(handle, filePath));
    if (opened === null) {
      isDirectRefused = true;
      return 0;
    }
    let done = 0;
    try {
      do done += await pwrite(opened.fd, data, done, offset + done);
      while (done < data.length && done % unitBytes === 0);
    } catch (cause) {
      if (!isRefused(cause)) throw cause;
      // The file system takes the flag but not the write, or the device wants larger units.
      isDirectRefused = true;
    }
    return done;
  };

  const inFlight = new InFlight();
  let isClosed = false;
  const writeWhole = async (offset: number, data: Uint8Array): Promise<void> => {
    if (isClosed) throw new Error('it is closed');
    const isDirect =
      !isDirectRefused &&
      data.length >= minDirectBytes &&
      data.length % unitBytes === 0 &&
      offset % unitBytes === 0 &&
      isAligned(data, unitBytes);
    inFlight.begin();
    try {
      const done = isDirect ? await writeDirect(offset, data) : 0;
      if (done < data.length) await writeBuffered(offset, data, done);
    } finally {
      inFlight.end();
    }
  };

  return {
    write: (offset, data) =>
      changeFile(`write ${data.length} bytes at ${offset} to`, filePath, () => writeWhole(offset, data)),
    close: async () => {
      isClosed = true;
      await inFlight.settle();
      const closing = direct;
      direct = null;
      await (await closing?.catch(() => null))?.close().catch(() => undefined);
    },
  };
}
