import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { changeFile } from '../fileErrors.ts';
import { publishFile } from '../overlay.ts';
import type { DiskSink } from '../sink.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import type { BlockFile } from './blockFile.ts';
import { fillHoles, type WritableFile } from './fileAccess.ts';

/** An image whose partial file is open: its blocks, and what makes it complete. */
export interface OpenImage {
  readonly blocks: BlockFile;
  readonly alignmentBytes: number;
  /** What an earlier attempt wrote is still there. */
  readonly kept: boolean;
  /**
   * Makes the file one that readers accept. Called when all blocks and the table are durable and the file ends at `endBytes`; what
   * readers look for first must be written last.
   */
  readonly complete: (endBytes: number) => Promise<void>;
}

/** How to keep an image file. */
export interface ImageFileOptions {
  /** false: the space of holes is reserved before the image is complete. */
  readonly sparse: boolean;
}

/**
 * Opens or makes the partial file and cuts it back to the last block that its table names: behind that may lie what a cut attempt
 * wrote, and new blocks must read as zeros.
 */
async function openPartial(
  partialPath: string,
  openImage: (file: WritableFile) => Promise<OpenImage>,
): Promise<{ handle: FileHandle; image: OpenImage }> {
  return await changeFile('open', partialPath, async () => {
    const handle = await open(partialPath, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const image = await openImage({ handle, path: partialPath });
      await handle.truncate(image.blocks.endBytes());
      return { handle, image };
    } catch (cause) {
      await handle.close();
      throw cause;
    }
  });
}

/**
 * The life of an image file that is written in blocks: opened or made by `openImage`, and given its final name when complete.
 *
 * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED, and what `openImage` throws
 */
export async function openImageSink(
  params: FileSinkParams,
  options: ImageFileOptions,
  openImage: (file: WritableFile) => Promise<OpenImage>,
): Promise<PartialFileSink> {
  const { partialPath } = params;
  const { handle, image } = await openPartial(partialPath, openImage);
  const { write, writeZeros, flush, endBytes } = image.blocks;
  let isOpen = true;
  let isFinished = false;
  const close = async (): Promise<void> => {
    await image.blocks.close();
    if (isOpen) await handle.close();
    isOpen = false;
  };
  const complete = async (): Promise<void> => {
    await flush();
    const end = endBytes();
    await changeFile('finish', partialPath, () => handle.truncate(end));
    if (!options.sparse) await fillHoles(partialPath, end, params.signal);
    await image.complete(end);
  };
  const sink: DiskSink = {
    alignmentBytes: image.alignmentBytes,
    resumable: true,
    ordered: false,
    write,
    writeZeros,
    flush,
    finish: async () => {
      if (isFinished) return;
      if (isOpen) await complete();
      await close();
      await publishFile(partialPath, params.finalPath);
      isFinished = true;
    },
    abort: async () => {
      await close();
      await changeFile('remove', partialPath, () => rm(partialPath, { force: true }));
    },
    suspend: async () => {
      if (isOpen) await flush();
      await close();
    },
  };
  return { sink, kept: image.kept };
}
