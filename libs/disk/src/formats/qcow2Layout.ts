import type { ByteReader, ImageHeader } from './imageHeader.ts';
import { headerError, safeNumber } from './imageHeader.ts';

/** What is needed to walk the L1 and L2 tables of a QCOW2 file. */
export interface Qcow2Layout {
  readonly version: number;
  readonly virtualSizeBytes: number;
  readonly clusterBytes: number;
  /** L2 entries have 16 bytes, and each cluster has 32 subclusters with states of their own. */
  readonly extendedL2: boolean;
  readonly l1: { readonly offsetBytes: number; readonly lengthBytes: number };
  /** Ranges of the file that hold other metadata: no table or data can lie there. */
  readonly reserved: readonly { readonly offsetBytes: number; readonly lengthBytes: number }[];
}

/**
 * Reads the layout of a QCOW2 file whose header was checked by `readQcow2Header`.
 *
 * @throws {AppError} DISK_HEADER_INVALID, DISK_IMAGE_TRUNCATED, DISK_FILE_UNREADABLE
 */
export async function readQcow2Layout(file: ByteReader, header: ImageHeader): Promise<Qcow2Layout> {
  const { clusterBytes, l1, virtualSizeBytes } = header;
  if (clusterBytes === null || l1 === null) throw headerError(file.label, 'there is no L1 table');
  const head = await file.readAt(0, Math.min(104, file.sizeBytes));
  const version = head.readUInt32BE(4);
  const extendedL2 = version >= 3 && (head.readUInt32BE(76) & 0b1_0000) !== 0;
  if (extendedL2 && clusterBytes < 16 * 1024) {
    throw headerError(file.label, `clusters of ${clusterBytes} bytes are too small for subclusters`);
  }
  const refcounts = {
    offsetBytes: safeNumber(head.readBigUInt64BE(48), file.label, 'the refcount table offset'),
    lengthBytes: head.readUInt32BE(56) * clusterBytes,
  };
  const first = { offsetBytes: 0, lengthBytes: clusterBytes };
  return { version, virtualSizeBytes, clusterBytes, extendedL2, l1, reserved: [first, l1, refcounts] };
}
