import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { AppError, isAppError } from '@ascend/errors';

/** A file with the metadata of a VM cannot be used. The reason may quote the file: control characters in it would reach a terminal. */
export function invalidSpec(path: string, reason: string, cause?: unknown): AppError {
  const plain = reason.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500);
  return new AppError({
    code: 'CATALOG_SPEC_INVALID',
    message: `read VM specification ${path}: ${plain}`,
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

async function readBytes(file: FileHandle, path: string, maxBytes: number): Promise<Uint8Array> {
  const info = await file.stat();
  if (!info.isFile()) throw invalidSpec(path, 'this is no regular file');
  if (info.size > maxBytes) throw invalidSpec(path, `${info.size} bytes, ${maxBytes} are the limit`);
  const buffer = new Uint8Array(info.size);
  let length = 0;
  let bytesRead: number;
  do {
    ({ bytesRead } = await file.read(buffer, length, buffer.length - length, length));
    length += bytesRead;
  } while (bytesRead > 0 && length < buffer.length);
  return buffer.subarray(0, length);
}

/** What the file itself says: a byte order mark, zeros between the characters, or `encoding="…"` at its beginning. */
function encodingOf(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first !== 0 && second === 0) return 'utf-16le';
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 512));
  return /encoding\s*=\s*["']([\w.:-]{1,40})["']/i.exec(head)?.[1] ?? 'utf-8';
}

/** @throws {RangeError | TypeError} neither UTF-8 nor what the file says */
function decode(bytes: Uint8Array): string {
  const encoding = encodingOf(bytes);
  try {
    return new TextDecoder(encoding.startsWith('utf-16') ? encoding : 'utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (encoding === 'utf-8') throw cause;
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  }
}

/**
 * The text of a file: UTF-8, UTF-16, or in the encoding that its beginning declares. Never waits for a pipe.
 *
 * @throws {AppError} CATALOG_SPEC_INVALID - unreadable, no regular file, too large, no text
 */
export async function readSpecText(path: string, maxBytes: number): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return decode(await readBytes(file, path, maxBytes));
  } catch (cause) {
    if (isAppError(cause)) throw cause;
    throw invalidSpec(path, cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    await file?.close();
  }
}
