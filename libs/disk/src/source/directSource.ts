import { AppError } from '@ascend/errors';
import { systemClock } from '@ascend/runtime';
import type { Extent } from '../extent.ts';
import { directExtents, mergeExtents, withHoles } from './directExtents.ts';
import { readDirect, type DirectReading } from './directReader.ts';
import type { DiskSource } from './diskSource.ts';
import { openLayerFiles, type LayerFiles } from './layerFiles.ts';
import type { KnownRuns } from './maps/chainMap.ts';
import type { LayerMap } from './maps/layerMap.ts';
import { openNbdSource, type OpenSourceParams } from './nbdSource.ts';

/** Time that reads in flight get to end when the source is closed. */
const closeMs = 5000;

/** A source that reads the files themselves. */
export interface DirectSource extends DiskSource {
  /** The maps of the layers, top first; for questions about single layers. */
  readonly maps: readonly LayerMap[];
}

function checkRange(sizeBytes: number, offset: number, length: number, operation: string): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= sizeBytes) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `${operation} ${length} bytes at ${offset}: the disk has ${sizeBytes} bytes`,
    details: { offsetBytes: offset, lengthBytes: length, sizeBytes },
  });
}

function assemble(reference: DiskSource, files: LayerFiles, signal: AbortSignal): DirectSource {
  const { sizeBytes } = reference;
  const { maps } = files;
  const extents = (offset: number, length: number): AsyncIterable<Extent> => {
    checkRange(sizeBytes, offset, length, 'read map of');
    const own = directExtents(maps, offset, offset + length, signal);
    return files.sparse ? mergeExtents(withHoles(own, reference.extents(offset, length))) : own;
  };
  const known: KnownRuns = [];
  const served: DirectReading['served'] = (at, part) => reference.readInto(at, part);
  const reading: DirectReading = { maps, known, served, signal };
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await reference.close();
    const over = new AbortController();
    const closed = files.close().catch(() => undefined);
    // A read from storage that hangs cannot be cut; its file is closed when it comes back.
    await Promise.race([closed, systemClock.sleep(closeMs, over.signal).catch(() => undefined)]);
    over.abort();
  };
  return {
    sizeBytes,
    maps,
    extents,
    readInto: async (offset, target) => {
      checkRange(sizeBytes, offset, target.length, 'read');
      await readDirect(reading, offset, target);
    },
    assertUnchanged: () => files.assertUnchanged(),
    close: () => (closing ??= close()),
  };
}

/**
 * Opens a point in time for reading the files themselves: tables by own walks, plain clusters by reads at their place in the file.
 * What is not plain (compressed clusters) goes through a private qemu-nbd.
 *
 * That server runs as long as the source is open, for its locks too: this runtime has none of its own. It refuses an image that
 * somebody writes to (DISK_SOURCE_BUSY) and keeps other QEMU programs from starting to. Danger: a writer that takes no locks is seen
 * only by `assertUnchanged`. Files are opened and compared with the chain after the locks are held.
 *
 * @throws {AppError} DISK_SOURCE_BUSY, DISK_SOURCE_CHANGED, DISK_OPEN_FAILED, DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_IMAGE_DIRTY,
 * DISK_HEADER_INVALID, DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_SERVER_FAILED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openDirectSource(params: OpenSourceParams): Promise<DirectSource> {
  const reference = await openNbdSource(params);
  try {
    const files = await openLayerFiles(params.image);
    if (params.signal.aborted) {
      await files.close();
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'open disk: cancelled' });
    }
    return assemble(reference, files, params.signal);
  } catch (cause) {
    await reference.close();
    throw cause;
  }
}
