import { constants } from 'node:fs';
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { hasCode } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { createDataWriter, type DataWriter } from '../dataWriter.ts';
import { changeFile } from '../fileErrors.ts';
import { publishFile } from '../overlay.ts';
import type { DiskSink } from '../sink.ts';
import type { FileSinkParams, PartialFileSink } from './partialSink.ts';
import { checkSinkRange, createWrittenCells } from './writtenCells.ts';

const zeroChunk = Buffer.alloc(256 * 1024);
// Below this a few zero writes cost less than starting a process.
const punchFromBytes = 4 * 1024 * 1024;

async function zeroRange(
  writer: DataWriter,
  filePath: string,
  offset: number,
  length: number,
): Promise<void> {
  if (length >= punchFromBytes) {
    const range = ['--offset', String(offset), '--length', String(length)];
    try {
      await runProcess({ program: 'fallocate', args: ['--punch-hole', ...range, '--', filePath] });
      return;
    } catch (cause) {
      // A file system without holes, or a machine without the tool: zeros are written instead.
      if (!hasCode(cause, 'PROCESS_FAILED') && !hasCode(cause, 'PROCESS_NOT_FOUND')) throw cause;
    }
  }
  for (let at = 0; at < length; at += zeroChunk.length) {
    await writer.write(offset + at, zeroChunk.subarray(0, Math.min(zeroChunk.length, length - at)));
  }
}

async function openPartial(
  params: FileSinkParams,
): Promise<{ handle: FileHandle; keptBytes: number | null }> {
  return await changeFile('open', params.partialPath, async () => {
    const existed = await stat(params.partialPath).then(
      (facts) => facts.isFile(),
      () => false,
    );
    const handle = await open(params.partialPath, constants.O_RDWR | constants.O_CREAT, 0o600);
    const { size } = await handle.stat();
    if (params.resume && existed && size <= params.sizeBytes) return { handle, keptBytes: size };
    await handle.truncate(0);
    return { handle, keptBytes: null };
  });
}

/**
 * A sparse raw file. While partial it is only as long as what was written, so that a resume knows which part is untouched.
 *
 * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openRawFileSink(params: FileSinkParams): Promise<PartialFileSink> {
  const { partialPath, sizeBytes } = params;
  const alignmentBytes = 512;
  const { handle, keptBytes } = await openPartial(params);
  const writer = createDataWriter(handle, partialPath);
  const cells = createWrittenCells(sizeBytes);
  cells.mark(0, keptBytes ?? 0);
  let isOpen = true;
  const flush = (): Promise<void> => changeFile('flush', partialPath, () => handle.datasync());
  const close = async (): Promise<void> => {
    await writer.close();
    if (isOpen) await handle.close();
    isOpen = false;
  };
  const sink: DiskSink = {
    alignmentBytes,
    resumable: true,
    ordered: false,
    write: async (offset, data) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, data.length);
      cells.mark(offset, data.length);
      await writer.write(offset, data);
    },
    writeZeros: async (offset, length) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
      for (const range of cells.marked(offset, length)) {
        await zeroRange(writer, partialPath, range.offsetBytes, range.lengthBytes);
      }
    },
    flush,
    finish: async () => {
      if (!isOpen) return;
      await changeFile('finish', partialPath, () => handle.truncate(sizeBytes));
      await flush();
      await close();
      await publishFile(partialPath, params.finalPath);
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
  return { sink, kept: keptBytes !== null };
}
