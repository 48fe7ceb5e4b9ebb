import { constants } from 'node:fs';
import { mkdir, open, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { changeFile } from '../fileErrors.ts';
import { publishFile } from '../overlay.ts';
import { createGather } from './gather.ts';
import type { PatchableOutput } from './patchableOutput.ts';

// One write of a mebibyte costs about the same system time as one of 8 MiB; below 256 KiB it grows.
const waitingBytes = 1024 * 1024;

/** Which file to write. */
export interface OpenFileOutputParams {
  /** Written as `<finalPath>.partial` and renamed by `finish`; its folder is made when missing. */
  readonly finalPath: string;
}

async function refuseExisting(finalPath: string): Promise<void> {
  const exists = await stat(finalPath).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new AppError({
    code: 'DISK_TARGET_EXISTS',
    message: `open output ${finalPath}: a file of that name is there`,
    details: { file: finalPath },
  });
}

/** What is left of the parts after a write that may have been short. */
function withoutFirst(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (skip >= part.length) skip -= part.length;
    else {
      rest.push(part.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}

async function writeParts(
  handle: FileHandle,
  filePath: string,
  offset: number,
  parts: readonly Uint8Array[],
): Promise<void> {
  await changeFile(`write at ${offset} to`, filePath, async () => {
    let at = offset;
    let rest = [...parts];
    while (rest.length > 0) {
      const { bytesWritten } = await handle.writev(rest, at);
      at += bytesWritten;
      rest = withoutFirst(rest, bytesWritten);
    }
  });
}

/**
 * A file that grows from start to end. It stands under its final name only when it is complete and flushed; an earlier partial file is
 * replaced.
 *
 * @throws {AppError} DISK_TARGET_EXISTS - the final name is taken; DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openFileOutput({ finalPath }: OpenFileOutputParams): Promise<PatchableOutput> {
  await refuseExisting(finalPath);
  const partialPath = `${finalPath}.partial`;
  const folder = path.dirname(finalPath);
  await changeFile('make folder', folder, () => mkdir(folder, { recursive: true }));
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
  const handle = await changeFile('open', partialPath, () => open(partialPath, flags, 0o600));
  let written = 0;
  let flushed = 0;
  let isOpen = true;
  let isFinished = false;
  const gather = createGather(waitingBytes, async (parts, lengthBytes) => {
    const offset = flushed;
    flushed += lengthBytes;
    await writeParts(handle, partialPath, offset, parts);
  });
  const close = async (): Promise<void> => {
    if (isOpen) await handle.close();
    isOpen = false;
  };
  return {
    get lengthBytes() {
      return written;
    },
    write: async (data) => {
      written += data.length;
      await gather.write(data);
    },
    patch: async (offset, data) => {
      if (offset < 0 || offset + data.length > written) {
        throw new AppError({
          code: 'DISK_RANGE_INVALID',
          message: `patch ${data.length} bytes at ${offset} of ${partialPath}: only ${written} bytes are written`,
          details: {
            file: partialPath,
            offsetBytes: offset,
            lengthBytes: data.length,
            writtenBytes: written,
          },
        });
      }
      await gather.flush();
      await writeParts(handle, partialPath, offset, [data]);
    },
    finish: async () => {
      if (isFinished) return;
      await gather.flush();
      await close();
      await publishFile(partialPath, finalPath);
      isFinished = true;
    },
    abort: async () => {
      await close();
      // After finish the partial name is gone, and the file stays.
      await changeFile('remove', partialPath, () => rm(partialPath, { force: true }));
    },
  };
}
