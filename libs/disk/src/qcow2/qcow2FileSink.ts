import { rm } from 'node:fs/promises';
import { changeFile } from '../fileErrors.ts';
import { publishFile } from '../overlay.ts';
import type { DiskSink } from '../sink.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import { checkSinkRange } from '../sinks/writtenCells.ts';
import type { ClusterWriter } from './clusterWriter.ts';
import { createCompressedClusters } from './compressedClusters.ts';
import { openImageWriter, type ImageWriter } from './imageWriter.ts';
import { clusterBytes, isEmptyEntry, writeStandardEntry } from './layout.ts';
import { createPlainClusters } from './plainClusters.ts';
import { entryIndexOf, tableRanges, withTable, type TableRange } from './tableRanges.ts';
import type { L2Table } from './tables.ts';

/** Makes a range within one table read as zeros: whole clusters by their entries, the rest by data. */
async function zeroInTable(
  table: L2Table,
  clusters: ClusterWriter,
  range: TableRange,
  sizeBytes: number,
): Promise<void> {
  const end = range.offsetBytes + range.lengthBytes;
  for (let at = range.offsetBytes; at < end;) {
    const clusterEnd = (Math.floor(at / clusterBytes) + 1) * clusterBytes;
    const stop = Math.min(end, clusterEnd);
    const isWhole = at % clusterBytes === 0 && (stop === clusterEnd || stop === sizeBytes);
    const index = entryIndexOf(at);
    if (!isWhole) await clusters.zeroPart(table, at, stop - at);
    else if (!isEmptyEntry(table.entries, index)) {
      // Its cluster is free from now on, but not used again: what is new must be a hole of the file.
      writeStandardEntry(table.entries, index, 0);
      table.dirty = true;
    }
    at = stop;
  }
}

/** Calls under way: the file may only be closed when they have settled. */
function trackCalls() {
  const inFlight = new Set<Promise<void>>();
  return {
    run: async (work: Promise<void>): Promise<void> => {
      inFlight.add(work);
      try {
        await work;
      } finally {
        inFlight.delete(work);
      }
    },
    settle: async (): Promise<void> => {
      await Promise.allSettled(inFlight);
    },
  };
}

/** How an image ends, in one way or another. */
function endingsOf(
  params: FileSinkParams,
  image: ImageWriter,
  parts: { readonly settle: () => Promise<void>; readonly closeClusters: () => void },
) {
  const { partialPath } = params;
  const done = { image: false, file: false };
  const flush = async (): Promise<void> => {
    image.allocator.sealPage();
    await image.tables.flush();
  };
  const close = async (): Promise<void> => {
    await parts.settle();
    parts.closeClusters();
    await image.file.close();
  };
  return {
    flush,
    finish: async (): Promise<void> => {
      if (done.file) return;
      await parts.settle();
      if (!done.image) await image.finish();
      done.image = true;
      parts.closeClusters();
      await publishFile(partialPath, params.finalPath);
      done.file = true;
    },
    abort: async (): Promise<void> => {
      await close();
      await changeFile('remove', partialPath, () => rm(partialPath, { force: true }));
    },
    suspend: async (): Promise<void> => {
      await parts.settle();
      // On a full disk there is nothing more to keep than what was confirmed before.
      await flush().catch(() => undefined);
      await close();
    },
  };
}

function createSink(params: FileSinkParams, image: ImageWriter, clusters: ClusterWriter): DiskSink {
  const { sizeBytes } = params;
  const { alignmentBytes } = clusters;
  const calls = trackCalls();
  const writeZeros = async (offset: number, length: number): Promise<void> => {
    for (const range of tableRanges(offset, length)) {
      if (!image.tables.has(range.tableIndex)) continue;
      await withTable(image.tables, range.tableIndex, (table) =>
        zeroInTable(table, clusters, range, sizeBytes),
      );
    }
  };
  return {
    alignmentBytes,
    resumable: true,
    ordered: false,
    write: async (offset, data) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, data.length);
      await calls.run(clusters.write(offset, data));
    },
    writeZeros: async (offset, length) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
      await calls.run(writeZeros(offset, length));
    },
    ...endingsOf(params, image, { settle: calls.settle, closeClusters: () => clusters.close() }),
  };
}

/**
 * A QCOW2 file of plain clusters, appended as they are first touched. Resumes what it left itself, after a kill at any moment; the
 * partial file of another writer is made anew.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - above 2 PiB; DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openQcow2FileSink(params: FileSinkParams): Promise<PartialFileSink> {
  const image = await openImageWriter({ ...params, compression: 'none' });
  return { sink: createSink(params, image, createPlainClusters(image)), kept: image.kept };
}

/**
 * A QCOW2 file whose clusters are compressed by zstd in the thread pool (QEMU 5.1 or later reads it). Any order, since clusters are packed as
 * they come; resumable like the plain one. Aligned to clusters, so that none is ever decompressed here.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - above 2 PiB; DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openQcow2ZstdFileSink(params: FileSinkParams): Promise<PartialFileSink> {
  const image = await openImageWriter({ ...params, compression: 'zstd' });
  return { sink: createSink(params, image, createCompressedClusters(image)), kept: image.kept };
}
