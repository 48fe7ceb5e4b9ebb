import { rm } from 'node:fs/promises';
import { fileBlockdev } from '../blockdev.ts';
import { changeFile } from '../fileErrors.ts';
import { openImageFile } from '../formats/imageFile.ts';
import { readQcow2Header } from '../formats/qcow2Header.ts';
import { connectNbd, type NbdClient } from '../nbd/client.ts';
import { createQcow2, publishFile } from '../overlay.ts';
import { serveNbd, type NbdServer } from '../qemu/nbdServer.ts';
import type { DiskSink } from '../sink.ts';
import type { FileSinkParams, PartialFileSink } from './partialSink.ts';
import { checkSinkRange, createWrittenCells } from './writtenCells.ts';

/** True when the file is a QCOW2 image of this size that needs no other file. */
export async function isOwnQcow2(filePath: string, sizeBytes: number): Promise<boolean> {
  try {
    const file = await openImageFile(filePath);
    try {
      const header = await readQcow2Header(file);
      return header.virtualSizeBytes === sizeBytes && header.backing === null;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

async function openServer(params: FileSinkParams): Promise<{ server: NbdServer; client: NbdClient }> {
  const signal = params.signal === undefined ? {} : { signal: params.signal };
  const server = await serveNbd({
    blockdev: fileBlockdev(params.partialPath, 'qcow2', { readOnly: false }),
    writable: true,
    connections: 1,
    workDir: params.workDir,
    ...signal,
  });
  try {
    const { socketPath, exportName } = server;
    return { server, client: await connectNbd({ socketPath, exportName, ...signal }) };
  } catch (cause) {
    await server.close();
    throw cause;
  }
}

/**
 * A QCOW2 file written through qemu-nbd. Its virtual size is the size rounded up to 512 bytes.
 *
 * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED, DISK_SERVER_FAILED, DISK_SOURCE_BUSY - another writer is still on the
 * partial file; PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openQcow2FileSink(params: FileSinkParams): Promise<PartialFileSink> {
  const { partialPath, sizeBytes } = params;
  const alignmentBytes = 512;
  const kept = params.resume && (await isOwnQcow2(partialPath, sizeBytes));
  if (!kept) {
    await changeFile('remove', partialPath, () => rm(partialPath, { force: true }));
    await createQcow2(partialPath, sizeBytes);
  }
  const { server, client } = await openServer(params);
  const cells = createWrittenCells(sizeBytes);
  const close = async (): Promise<void> => {
    await client.close();
    await server.close();
  };
  try {
    if (kept) {
      for await (const extent of client.extents(0, sizeBytes)) {
        if (extent.kind === 'data') cells.mark(extent.offsetBytes, extent.lengthBytes);
      }
    }
  } catch (cause) {
    await close();
    throw cause;
  }
  let ended = false;
  const sink: DiskSink = {
    alignmentBytes,
    resumable: true,
    ordered: false,
    write: async (offset, data) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, data.length);
      cells.mark(offset, data.length);
      await client.write(offset, data);
    },
    writeZeros: async (offset, length) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
      for (const range of cells.marked(offset, length))
        await client.writeZeros(range.offsetBytes, range.lengthBytes);
    },
    flush: () => client.flush(),
    finish: async () => {
      if (ended) return;
      await client.flush();
      await close();
      await publishFile(partialPath, params.finalPath);
      ended = true;
    },
    abort: async () => {
      await close();
      await changeFile('remove', partialPath, () => rm(partialPath, { force: true }));
    },
    suspend: async () => {
      // A connection that is already cut has nothing left to flush; what was confirmed before stays.
      await client.flush().catch(() => undefined);
      await close();
    },
  };
  return { sink, kept };
}
