import { open } from 'node:fs/promises';

/** Reads what a growing file gained since the last call. */
export interface GrowingFile {
  /** The next bytes, at most `maxBytes`; empty when there is nothing new or no file yet. */
  readNew(maxBytes: number): Promise<Buffer>;
  /** Bytes read so far. */
  readonly position: number;
}

/** Follows a file from its beginning. A file that shrank is followed from its new end. */
export function followFile(path: string): GrowingFile {
  let position = 0;
  return {
    get position() {
      return position;
    },
    readNew: async (maxBytes) => {
      const file = await open(path, 'r').catch(() => null);
      if (file === null) return Buffer.alloc(0);
      try {
        const { size } = await file.stat();
        if (size < position) position = size;
        const buffer = Buffer.alloc(Math.min(maxBytes, size - position));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        position += bytesRead;
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

/** The last bytes of a file as text; empty when there is no file. Bytes of a hole are dropped. */
export async function readTail(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return '';
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(maxBytes, size));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, bytesRead).replaceAll('\0', '');
  } finally {
    await file.close();
  }
}
