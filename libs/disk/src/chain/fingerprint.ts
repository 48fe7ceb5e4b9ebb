import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { LayerFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { readError } from '../fileErrors.ts';
import { openImageFile, type ImageFile } from '../formats/imageFile.ts';
import { headerError, type ImageHeader } from '../formats/imageHeader.ts';

const headBytes = 64 * 1024;
const chunkBytes = 1024 * 1024;

/** The part of a disk that identifies it: index and layers, top first. */
export interface FingerprintDisk {
  readonly diskIndex: number;
  readonly layers: readonly LayerFacts[];
}

/**
 * The restore point's fingerprint (D2): SHA-256 (hex) of canonical JSON over relative path, size, mtime and head of every
 * layer of every disk. The order of `disks` does not matter.
 */
export function fingerprintOf(disks: readonly FingerprintDisk[]): string {
  const canonical = disks
    .toSorted((a, b) => a.diskIndex - b.diskIndex)
    .map((disk) => ({
      disk_index: disk.diskIndex,
      layers: disk.layers.map((layer) => ({
        rel_path: layer.relPath,
        size: layer.fileSizeBytes,
        mtime_ms: layer.mtimeMs,
        sha256: layer.headSha256,
      })),
    }));
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}

/**
 * Compares freshly opened chains with the fingerprint of a plan.
 *
 * @throws {AppError} DISK_SOURCE_CHANGED
 */
export function assertFingerprint(expected: string, disks: readonly FingerprintDisk[]): void {
  const found = fingerprintOf(disks);
  if (found === expected) return;
  throw new AppError({
    code: 'DISK_SOURCE_CHANGED',
    message: `compare restore point: its fingerprint is ${found.slice(0, 12)}…, the plan was made for ${expected.slice(0, 12)}…`,
    details: { expected, found },
  });
}

/** Every non-empty entry of an L1 table must point at a cluster inside the file. Returns how many there are. */
function checkL1(table: Buffer, file: ImageFile): number {
  let used = 0;
  for (let at = 0; at + 8 <= table.length; at += 8) {
    // Bits 9…55 hold the offset; two halves because bit operations are 32 bits wide.
    const offset =
      (table.readUInt32BE(at) & 0x00_ff_ff_ff) * 2 ** 32 + ((table.readUInt32BE(at + 4) & ~0x1ff) >>> 0);
    if (offset >= file.sizeBytes) {
      const problem = `an L2 table lies at ${offset}, the file ends at ${file.sizeBytes}`;
      throw headerError(file.label, problem, 'DISK_IMAGE_TRUNCATED');
    }
    if (offset !== 0) used += 1;
  }
  return used;
}

/**
 * SHA-256 (hex) over the first 64 KiB and the L1 table; a VMDK descriptor also covers name, size, mtime and head of each
 * extent file. Checks on the way that no L1 entry points behind the end of the file and that there
 * are not more L2 tables than fit.
 *
 * @throws {AppError} DISK_IMAGE_TRUNCATED, DISK_IMAGE_CORRUPT, DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR
 */
export async function hashHead(file: ImageFile, header: ImageHeader): Promise<string> {
  const hash = createHash('sha256');
  hash.update(await file.readAt(0, Math.min(headBytes, file.sizeBytes)));
  let tables = 0;
  const end = header.l1 === null ? 0 : header.l1.offsetBytes + header.l1.lengthBytes;
  for (let at = header.l1?.offsetBytes ?? 0; at < end; at += chunkBytes) {
    const part = await file.readAt(at, Math.min(chunkBytes, end - at));
    tables += checkL1(part, file);
    hash.update(part);
  }
  // Each table fills a cluster of its own; shared ones would make a small file look like petabytes of data.
  if (tables * (header.clusterBytes ?? 0) > file.sizeBytes) {
    const problem = `${tables} L2 tables do not fit into ${file.sizeBytes} bytes`;
    throw headerError(file.label, problem, 'DISK_IMAGE_CORRUPT');
  }
  for (const name of header.extentFiles) {
    const extent = await openImageFile(path.join(path.dirname(file.absPath), name), name);
    try {
      hash.update(JSON.stringify([name, extent.sizeBytes, extent.mtimeMs]));
      hash.update(await extent.readAt(0, Math.min(headBytes, extent.sizeBytes)));
    } finally {
      await extent.close();
    }
  }
  return hash.digest('hex');
}

/**
 * Compares size and mtime of every file of a chain with what was seen when it was opened: cheap, for the end of a copy.
 *
 * @throws {AppError} DISK_SOURCE_CHANGED, DISK_FILE_MISSING, DISK_FILE_UNREADABLE
 */
export async function assertChainUnchanged(chain: {
  readonly layers: readonly (LayerFacts & { readonly absPath: string })[];
}): Promise<void> {
  for (const layer of chain.layers) {
    const now = await stat(layer.absPath).catch((cause: unknown) => {
      throw readError('compare', layer.relPath, cause);
    });
    if (now.size === layer.fileSizeBytes && Math.floor(now.mtimeMs) === layer.mtimeMs) continue;
    throw new AppError({
      code: 'DISK_SOURCE_CHANGED',
      message: `compare ${layer.relPath}: ${now.size} bytes now, ${layer.fileSizeBytes} when it was opened`,
      details: {
        file: layer.relPath,
        sizeBytes: now.size,
        openedSizeBytes: layer.fileSizeBytes,
        mtimeMs: Math.floor(now.mtimeMs),
        openedMtimeMs: layer.mtimeMs,
      },
    });
  }
}
