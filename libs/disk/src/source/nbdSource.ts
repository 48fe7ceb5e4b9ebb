import { AppError } from '@ascend/errors';
import { imageBlockdev, type Blockdev, type DiskImage } from '../blockdev.ts';
import { assertChainUnchanged } from '../chain/fingerprint.ts';
import { connectNbd } from '../nbd/client.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import type { DiskSource } from './diskSource.ts';
import { errorsOf } from './namedErrors.ts';

/** Which point in time to read. */
export interface OpenSourceParams {
  readonly image: DiskImage;
  /** Folder for the private socket; made when missing. */
  readonly workDir: string;
  /** Cuts what is pending and ends the server when it fires. */
  readonly signal: AbortSignal;
}

/** Any disk that QEMU can describe, to be served read-only. */
export interface OpenServedParams extends Omit<OpenSourceParams, 'image'> {
  readonly blockdev: Blockdev;
  /** What its header tells; anything else is refused. */
  readonly sizeBytes: number;
  /** As for `DiskSource`. */
  readonly assertUnchanged: () => Promise<void>;
}

/**
 * Opens a point in time through a private qemu-nbd, read-only. Reads every format that QEMU reads.
 *
 * @throws {AppError} DISK_SOURCE_BUSY, DISK_OPEN_FAILED, DISK_IMAGE_CORRUPT, DISK_IMAGE_DIRTY, DISK_SERVER_FAILED, DISK_HEADER_INVALID - it is
 * served with another size than its header tells; PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openNbdSource(params: OpenSourceParams): Promise<DiskSource> {
  const naming = errorsOf(params.image.chain);
  const source = await naming.during(() => openImage(params));
  return {
    ...source,
    extents: (offset, length) => naming.each(source.extents(offset, length)),
    readInto: (offset, target) => naming.during(() => source.readInto(offset, target)),
  };
}

async function openImage({ image, workDir, signal }: OpenSourceParams): Promise<DiskSource> {
  return await openServedSource({
    blockdev: imageBlockdev(image),
    sizeBytes: image.chain.virtualSizeBytes,
    workDir,
    signal,
    assertUnchanged: () => assertChainUnchanged(image.chain),
  });
}

/** The same for a disk that is no file of its own, such as a member of an archive. @throws {AppError} as `openNbdSource` */
export async function openServedSource(params: OpenServedParams): Promise<DiskSource> {
  const { signal, sizeBytes } = params;
  const server = await serveNbd({
    blockdev: params.blockdev,
    writable: false,
    connections: 1,
    workDir: params.workDir,
    signal,
  });
  try {
    const { socketPath, exportName } = server;
    const client = await connectNbd({ socketPath, exportName, signal });
    if (client.sizeBytes !== sizeBytes) {
      await client.close();
      throw new AppError({
        code: 'DISK_HEADER_INVALID',
        message: `open disk: it is served with ${client.sizeBytes} bytes, its header says ${sizeBytes}`,
        details: { servedBytes: client.sizeBytes, headerBytes: sizeBytes },
      });
    }
    return {
      sizeBytes: client.sizeBytes,
      extents: (offset, length) => client.extents(offset, length),
      readInto: (offset, target) => client.readInto(offset, target),
      assertUnchanged: params.assertUnchanged,
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
