import type { DiskImage } from '../blockdev.ts';
import { imageBlockdev } from '../blockdev.ts';
import { assertChainUnchanged } from '../chain/fingerprint.ts';
import type { Extent } from '../extent.ts';
import { serveNbd, type NbdServer } from '../qemu/nbdServer.ts';
import type { DiskSource } from '../source/diskSource.ts';
import type { OpenSourceParams } from '../source/nbdSource.ts';
import { openSource } from '../source/openSource.ts';
import { nbdKeyOf, type SessionTicket } from './ticket.ts';

/** A page of a disk's map: what follows `offsetBytes` up to `endBytes`. */
interface ExtentPage {
  readonly extents: readonly Extent[];
  readonly endBytes: number;
}

/** The disk behind a loan. What serves it is started when it is first asked for. */
export interface LentDisk {
  readonly sizeBytes: number;
  /** For the HTTPS stream. */
  source(): Promise<DiskSource>;
  /** For NBD; takes only clients with the session's key. */
  server(): Promise<NbdServer>;
  /** Some extents from an offset on, at least one unless the range is empty. A reader that goes on where a page ended costs no second look-up. */
  extents(offsetBytes: number, endBytes: number): Promise<ExtentPage>;
  /** @throws {AppError} DISK_SOURCE_CHANGED, DISK_FILE_MISSING, DISK_FILE_UNREADABLE */
  assertUnchanged(): Promise<void>;
  /** Ends what was started. Idempotent; never throws. */
  close(): Promise<void>;
}

/** What is lent. */
export interface LentDiskParams {
  readonly image: DiskImage;
  /** Folder for sockets; made when missing. */
  readonly workDir: string;
  /** Opens the disk for the HTTPS stream. Default: `openSource`. */
  readonly openSource?: (params: OpenSourceParams) => Promise<DiskSource>;
}

const pageExtents = 8192;

interface Cursor {
  readonly endBytes: number;
  readonly iterator: AsyncIterator<Extent>;
  nextBytes: number;
}

interface Once<T> {
  get(): Promise<T>;
  close(): Promise<void>;
}

/** Opens at the first call and again after a failure; closes what is open. */
function createOnce<T extends { close(): Promise<void> }>(open: () => Promise<T>): Once<T> {
  let opened: Promise<T> | null = null;
  return {
    get: () =>
      (opened ??= open().catch((cause: unknown) => {
        opened = null;
        throw cause;
      })),
    close: async () => {
      await opened?.then((value) => value.close()).catch(() => undefined);
    },
  };
}

/** The disk of one session. `streams`: NBD connections that may be open at once. */
export function createLentDisk(
  params: LentDiskParams,
  ticket: SessionTicket,
  streams: number,
  signal: AbortSignal,
): LentDisk {
  const { image, workDir } = params;
  let cursor: Cursor | null = null;
  const source = createOnce(() => (params.openSource ?? openSource)({ image, workDir, signal }));
  const server = createOnce(() =>
    serveNbd({
      blockdev: imageBlockdev(image),
      writable: false,
      connections: streams,
      tls: nbdKeyOf(ticket),
      workDir,
      signal,
    }),
  );
  const cursorAt = async (offsetBytes: number, endBytes: number): Promise<Cursor> => {
    const held = cursor;
    cursor = null;
    if (held?.nextBytes === offsetBytes && held.endBytes === endBytes) return held;
    const extents = (await source.get()).extents(offsetBytes, endBytes - offsetBytes);
    return { endBytes, nextBytes: offsetBytes, iterator: extents[Symbol.asyncIterator]() };
  };
  return {
    sizeBytes: image.chain.virtualSizeBytes,
    source: () => source.get(),
    server: () => server.get(),
    extents: async (offsetBytes, endBytes) => {
      const at = await cursorAt(offsetBytes, endBytes);
      const extents: Extent[] = [];
      while (at.nextBytes < endBytes && extents.length < pageExtents) {
        const step = await at.iterator.next();
        if (step.done === true) break;
        extents.push(step.value);
        at.nextBytes = step.value.offsetBytes + step.value.lengthBytes;
      }
      if (at.nextBytes < endBytes) cursor = at;
      return { extents, endBytes: at.nextBytes };
    },
    assertUnchanged: () => assertChainUnchanged(image.chain),
    close: async () => {
      await source.close();
      await server.close();
    },
  };
}
