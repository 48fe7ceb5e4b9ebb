import { mkdir, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { blockdevArgument, imageBlockdev, type DiskImage } from '../blockdev.ts';
import { assertChainUnchanged } from '../chain/fingerprint.ts';
import { changeFile } from '../fileErrors.ts';
import { publishFile } from '../overlay.ts';
import { convertArguments, parseConvertProgress, type ConvertFormat } from './convertFormats.ts';
import { renameInDescriptor } from './descriptorName.ts';
import { toolError } from './qemuError.ts';

/** One disk for qemu-img to convert. */
export interface ConvertParams {
  readonly image: DiskImage;
  /** Written as `<finalPath>.partial` and renamed at the end; its folder is made when missing. */
  readonly finalPath: string;
  readonly format: ConvertFormat;
  /** Name that the file will have in the end, for formats that record their own; default: that of `finalPath`. */
  readonly publishedName?: string;
  /** Absolute and growing; in bytes of the virtual disk, in steps of about 1 %, since qemu-img tells a percentage only. */
  readonly onProgress: (progress: { readonly bytesDone: number; readonly bytesTotal: number }) => void;
  readonly signal: AbortSignal;
  /** null or absent = no cap. */
  readonly bandwidthBytesPerSecond?: number | null;
}

async function assertFree(finalPath: string): Promise<void> {
  if ((await stat(finalPath).catch(() => null)) === null) return;
  throw new AppError({
    code: 'DISK_TARGET_EXISTS',
    message: `convert disk to ${finalPath}: a file of that name is there`,
    details: { file: finalPath },
  });
}

async function makePartial(partialPath: string): Promise<void> {
  await changeFile('make', partialPath, async () => {
    await mkdir(path.dirname(partialPath), { recursive: true });
    await rm(partialPath, { force: true });
    // It will hold a guest's data: nobody else on this machine reads it. qemu-img keeps the mode of a file that is there.
    await (await open(partialPath, 'wx', 0o600)).close();
  });
}

async function runConvert(params: ConvertParams, partialPath: string): Promise<void> {
  const bytesTotal = params.image.chain.virtualSizeBytes;
  let shown = -1;
  try {
    await runProcess({
      program: 'qemu-img',
      args: convertArguments({
        source: blockdevArgument(imageBlockdev(params.image)),
        targetPath: partialPath,
        format: params.format,
        bandwidthBytesPerSecond: params.bandwidthBytesPerSecond ?? null,
      }),
      signal: params.signal,
      dieWithParent: true,
      onStdoutLine: (line) => {
        const percent = parseConvertProgress(line);
        if (percent === null || percent <= shown) return;
        shown = percent;
        params.onProgress({ bytesDone: Math.floor((bytesTotal * percent) / 100), bytesTotal });
      },
    });
  } catch (cause) {
    const output = isAppError(cause) ? String(cause.details['stderrTail'] ?? '') : '';
    const fallback = /Could not open '/.test(output) ? 'DISK_OPEN_FAILED' : 'DISK_IO_FAILED';
    throw toolError(`convert disk to ${params.finalPath}`, cause, fallback);
  }
}

/**
 * Converts a point in time to a file of its own by `qemu-img convert`: the other engine, for those who ask for it and for what our own encoders
 * refuse. Not resumable. On failure and on cancellation the process and the partial file are gone; nothing stands under the final name but
 * a complete, durable disk.
 *
 * @throws {AppError} DISK_TARGET_EXISTS - whatever file has the final name; DISK_FORMAT_LIMIT, DISK_SOURCE_BUSY, DISK_SOURCE_CHANGED,
 * DISK_OPEN_FAILED, DISK_IMAGE_CORRUPT, DISK_IMAGE_DIRTY, DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_SPACE_EXHAUSTED, DISK_IO_FAILED,
 * PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function convertWithQemuImg(params: ConvertParams): Promise<void> {
  const finalPath = path.resolve(params.finalPath);
  const partialPath = `${finalPath}.partial`;
  if (params.signal.aborted) {
    throw new AppError({ code: 'OPERATION_CANCELLED', message: 'convert disk: cancelled' });
  }
  await assertFree(finalPath);
  await makePartial(partialPath);
  try {
    await runConvert(params, partialPath);
    await assertChainUnchanged(params.image.chain);
    const name = params.publishedName ?? path.basename(finalPath);
    if (params.format === 'vmdk' || params.format === 'vmdk-stream') {
      await renameInDescriptor(partialPath, path.basename(partialPath), name);
    }
    await publishFile(partialPath, finalPath);
  } catch (cause) {
    await rm(partialPath, { force: true });
    throw cause;
  }
  const bytesTotal = params.image.chain.virtualSizeBytes;
  params.onProgress({ bytesDone: bytesTotal, bytesTotal });
}
