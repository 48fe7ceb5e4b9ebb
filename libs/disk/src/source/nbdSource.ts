import { AppError } from '@ascend/errors';
import { imageBlockdev, type DiskImage } from '../blockdev.ts';
import { assertChainUnchanged } from '../chain/fingerprint.ts';
import { connectNbd } from '../nbd/client.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import type { DiskSource } from './diskSource.ts';

/** Which point in time to read. */
export interface OpenSourceParams {
  readonly image: DiskImage;
  /** Folder for the private socket; made when missing. */
  readonly workDir: string;
  /** Cuts what is pending and ends the server when it fires. */
  readonly signal: AbortSignal;
}

/**
 * Opens a point in time through a private qemu-nbd, read-only. Reads every format that QEMU reads.
 *
 * @throws {AppError} DISK_SOURCE_BUSY, DISK_OPEN_FAILED, DISK_IMAGE_CORRUPT, DISK_IMAGE_DIRTY, DISK_SERVER_FAILED, DISK_HEADER_INVALID - it is
 * served with another size than its header tells; PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openNbdSource(params: OpenSourceParams): Promise<DiskSource> {
  const { image, signal } = params;
  const server = await serveNbd({
    blockdev: imageBlockdev(image),
    writable: false,
    connections: 1,
    workDir: params.workDir,
    signal,
  });
  try {
    const { socketPath, exportName } = server;
    const client = await connectNbd({ socketPath, exportName, signal });
    if (client.sizeBytes !== image.chain.virtualSizeBytes) {
      await client.close();
      throw new AppError({
        code: 'DISK_HEADER_INVALID',
        message: `open disk: it is served with ${client.sizeBytes} bytes, its header says ${image.chain.virtualSizeBytes}`,
        details: { servedBytes: client.sizeBytes, headerBytes: image.chain.virtualSizeBytes },
      });
    }
    return {
      sizeBytes: client.sizeBytes,
      extents: (offset, length) => client.extents(offset, length),
      readInto: (offset, target) => client.readInto(offset, target),
      assertUnchanged: () => assertChainUnchanged(image.chain),
      close: async () => {
        await client.close();
        await server.close();
      },
    };
  } catch (cause) {
    await server.close();
    throw cause;
  }
}
