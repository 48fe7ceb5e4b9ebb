import { connectNbd, imageBlockdev, serveNbd, type DiskImage } from '@ascend/disk';
import { assertRange, type ByteSource } from '../byteSource.ts';
import type { OpenDisk } from '../volumes/volumeFacts.ts';

/** One disk of the guest as an image. */
export interface GuestDisk {
  readonly diskIndex: number;
  readonly image: DiskImage;
}

/** All disks of a guest, open for reading. */
export interface OpenDisks extends AsyncDisposable {
  readonly disks: readonly OpenDisk[];
}

async function openSource(
  image: DiskImage,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<{ readonly source: ByteSource; close(): Promise<void> }> {
  const blockdev = imageBlockdev(image, { readOnly: true });
  const server = await serveNbd({ blockdev, writable: false, connections: 1, ...params });
  try {
    const client = await connectNbd({
      socketPath: server.socketPath,
      exportName: server.exportName,
      signal: params.signal,
    });
    const source: ByteSource = {
      sizeBytes: client.sizeBytes,
      read: async (offsetBytes, length) => {
        assertRange(client.sizeBytes, offsetBytes, length);
        const target = Buffer.alloc(length);
        if (length > 0) await client.readInto(offsetBytes, target);
        return target;
      },
    };
    return {
      source,
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

/**
 * Opens disks for reading, each through its own read-only block server. Disposing ends the servers; on failure none is left.
 *
 * @throws {AppError} DISK_* - a disk cannot be served
 */
export async function openDisks(
  guestDisks: readonly GuestDisk[],
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<OpenDisks> {
  const opened: { diskIndex: number; source: ByteSource; close(): Promise<void> }[] = [];
  const closeAll = async (): Promise<void> => {
    await Promise.all(opened.map((disk) => disk.close()));
  };
  try {
    for (const { diskIndex, image } of guestDisks) {
      opened.push({ diskIndex, ...(await openSource(image, params)) });
    }
  } catch (cause) {
    await closeAll();
    throw cause;
  }
  return { disks: opened, [Symbol.asyncDispose]: closeAll };
}
