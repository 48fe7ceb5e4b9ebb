import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { VmSpec } from '@ascend/domain';
import { AppError, isAppError } from '@ascend/errors';
import { vmSpecSchema } from '@ascend/protocol';

/** Real specifications are a few KiB. */
const maxFileBytes = 1024 * 1024;
const maxIssuesTold = 5;

function invalid(path: string, reason: string, cause?: unknown): AppError {
  // The reason may quote the file, and control characters in it would reach a terminal.
  const plain = reason.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500);
  return new AppError({
    code: 'CATALOG_SPEC_INVALID',
    message: `read VM specification ${path}: ${plain}`,
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

async function readText(file: FileHandle, path: string): Promise<string> {
  const info = await file.stat();
  if (!info.isFile()) throw invalid(path, 'this is no regular file');
  if (info.size > maxFileBytes) throw invalid(path, `${info.size} bytes, ${maxFileBytes} are the limit`);
  const buffer = new Uint8Array(info.size);
  let length = 0;
  let bytesRead: number;
  do {
    ({ bytesRead } = await file.read(buffer, length, buffer.length - length, length));
    length += bytesRead;
  } while (bytesRead > 0 && length < buffer.length);
  return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
}

function parseSpec(path: string, text: string): VmSpec {
  const parsed = vmSpecSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const told = issues.slice(0, maxIssuesTold).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw invalid(path, `${issues.length} wrong fields: ${told.join('; ')}`);
}

/**
 * Reads a VM specification in our own JSON (`*.vmspec.json`, UTF-8, 1 MiB at most). Never waits for a pipe.
 *
 * @throws {AppError} CATALOG_SPEC_INVALID - unreadable, no regular file, too large, or no valid specification
 */
export async function readVmSpecFile(path: string): Promise<VmSpec> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return parseSpec(path, await readText(file, path));
  } catch (cause) {
    throw isAppError(cause) ? cause : invalid(path, textOf(cause), cause);
  } finally {
    await file?.close();
  }
}
