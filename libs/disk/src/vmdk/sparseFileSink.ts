import { constants } from 'node:fs';
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { changeFile } from '../fileErrors.ts';
import { publishFile } from '../overlay.ts';
import type { DiskSink } from '../sink.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import { checkSinkRange } from '../sinks/writtenCells.ts';
import { encodeDescriptor } from './descriptor.ts';
import { extentFileOf, type ExtentFile } from './extentFile.ts';
import { createGrainTables } from './grainTables.ts';
import { readKeptTables, type KeptTables } from './keptTables.ts';
import { isOwnVmdk } from './ownVmdk.ts';
import { checkVmdkSize, descriptorSector, sectorBytes } from './sparseExtent.ts';
import { createSparseExtentWriter } from './sparseExtentWriter.ts';
import { layOutSparse, type SparseLayout } from './sparseLayout.ts';

const createType = 'monolithicSparse';

/** The tables of an earlier attempt; null when the file is not one of ours of this size, or is damaged. */
async function readKept(
  file: ExtentFile,
  layout: SparseLayout,
  params: FileSinkParams,
): Promise<KeptTables | null> {
  if (!(await isOwnVmdk(params.partialPath, params.sizeBytes, createType))) return null;
  const frame = [{ offsetBytes: 0, content: layout.header }, ...layout.directories];
  for (const { offsetBytes, content } of frame) {
    const found = Buffer.alloc(content.length);
    await file.readInto(offsetBytes, found);
    if (!found.equals(content)) return null;
  }
  const { size } = await stat(params.partialPath);
  return await readKeptTables(file, layout, size);
}

async function writeFrame(file: ExtentFile, layout: SparseLayout, extentName: string): Promise<void> {
  const capacitySectors = layout.sizeBytes / sectorBytes;
  await file.write(
    descriptorSector * sectorBytes,
    encodeDescriptor({ createType, capacitySectors, extentName }),
  );
  for (const { offsetBytes, content } of layout.directories) await file.write(offsetBytes, content);
  // Last, so that a file with a header is whole.
  await file.write(0, layout.header);
}

interface OpenedExtent {
  readonly handle: FileHandle;
  readonly file: ExtentFile;
  readonly kept: KeptTables | null;
}

async function openExtent(params: FileSinkParams, layout: SparseLayout): Promise<OpenedExtent> {
  const { partialPath } = params;
  const flags = constants.O_RDWR | constants.O_CREAT;
  const handle = await changeFile('open', partialPath, () => open(partialPath, flags, 0o600));
  try {
    const file = extentFileOf(handle, partialPath);
    const kept = params.resume ? await readKept(file, layout, params) : null;
    const firstFree = kept?.nextSector ?? layout.overheadSectors;
    await changeFile('cut', partialPath, async () => {
      if (kept === null) await handle.truncate(0);
      // Behind the last named grain lies what a cut attempt left: a new grain must read as zeros there.
      await handle.truncate(firstFree * sectorBytes);
    });
    if (kept === null)
      await writeFrame(file, layout, params.publishedName ?? path.basename(params.finalPath));
    return { handle, file, kept };
  } catch (cause) {
    await handle.close();
    throw cause;
  }
}

/**
 * A monolithicSparse VMDK, written in any order of offsets. Grains of 64 KiB are appended as they are first touched and overwritten in
 * place; `flush` makes data durable, then the tables that name it. Zeroing what was never written is free. A resume goes on with
 * what the tables name.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - a disk above 62 TiB (or, while writing, a file above 2 TiB); DISK_RANGE_INVALID,
 * DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openVmdkFileSink(params: FileSinkParams): Promise<PartialFileSink> {
  const { partialPath, sizeBytes } = params;
  const alignmentBytes = sectorBytes;
  checkVmdkSize(sizeBytes);
  const layout = layOutSparse(sizeBytes);
  const { handle, file, kept } = await openExtent(params, layout);
  const tables = createGrainTables(file, layout, kept?.touched);
  const writer = createSparseExtentWriter(file, tables, kept?.nextSector ?? layout.overheadSectors);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  const sink: DiskSink = {
    alignmentBytes,
    resumable: true,
    ordered: false,
    write: async (offset, data) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, data.length);
      await writer.write(offset, data);
    },
    writeZeros: async (offset, length) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
      await writer.zero(offset, length);
    },
    flush: () => tables.flush(),
    finish: async () => {
      if (!isOpen) return;
      // The last grain may have been written in part.
      await changeFile('finish', partialPath, () => handle.truncate(writer.nextSector() * sectorBytes));
      await tables.flush();
      await close();
      await publishFile(partialPath, params.finalPath);
    },
    abort: async () => {
      await close();
      await changeFile('remove', partialPath, () => rm(partialPath, { force: true }));
    },
    suspend: async () => {
      if (isOpen) await tables.flush();
      await close();
    },
  };
  return { sink, kept: kept !== null };
}
