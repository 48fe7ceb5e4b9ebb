import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import { assertChainUnchanged, fingerprintOf } from '../chain/fingerprint.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { openSource } from '../source/openSource.ts';
import { reserveSpace } from '../space/reserveSpace.ts';
import { verifyDisk, type VerifyReport } from '../verify/verifyDisk.ts';
import type { VerifyMode } from '../verify/verifyMode.ts';
import { listChanges, olderImage } from './olderPoint.ts';
import { beginDelta, endDelta, wasCut } from './deltaJournal.ts';
import {
  checkDeltaTarget,
  openDeltaTarget,
  openDeltaWriter,
  resizeTarget,
  type DeltaTarget,
} from './deltaTarget.ts';
import { proveOlder } from './proveOlder.ts';
import type { RangeList } from './rangeList.ts';
import { writeChanges } from './writeChanges.ts';

/** Which changes to write onto what. */
export interface CopyDeltaParams {
  /** The newer point. */
  readonly image: DiskImage;
  /** Index in `image.chain.layers` of the older point that the target is a copy of; at least 1. */
  readonly sinceLayer: number;
  readonly target: DeltaTarget;
  /** `read-back`: all of the target is compared with the older point before, and with the newer one after. Else samples. */
  readonly verify: VerifyMode;
  readonly workDir: string;
  readonly signal: AbortSignal;
  readonly bandwidthBytesPerSecond: number | null;
  /** Draws the samples; default: a new one. */
  readonly seed?: string;
  readonly onProgress?: (progress: { readonly bytesDone: number; readonly bytesTotal: number }) => void;
}

/** What a delta moved and what was proven about it. */
export interface DeltaResult {
  /** Bytes of changed ranges with data: read and written. */
  readonly dataBytes: number;
  /** Bytes of changed ranges that became zeros. */
  readonly zeroBytes: number;
  readonly ranges: number;
  /** An earlier delta between the same points had been cut and was repeated. */
  readonly repeated: boolean;
  /** How much of the target was compared with the older point before the first write. */
  readonly provenBytes: number;
  readonly verify: VerifyReport | null;
}

function pointFingerprint(image: DiskImage): string {
  return fingerprintOf([{ diskIndex: 0, layers: image.chain.layers }]);
}

function checkLayer({ image, sinceLayer }: CopyDeltaParams): void {
  const last = image.chain.layers.length - 1;
  if (Number.isSafeInteger(sinceLayer) && sinceLayer >= 1 && sinceLayer <= last) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `apply delta: the older point is layer ${sinceLayer}, the chain has layers 1 to ${last} below the chosen point`,
    details: { sinceLayer, lastLayer: last },
  });
}

async function proveTarget(params: CopyDeltaParams, older: DiskImage, changes: RangeList): Promise<number> {
  const { workDir, signal, target } = params;
  const olderSource = await openSource({ image: older, workDir, signal });
  try {
    const opened = await openDeltaTarget(target, { writable: false, workDir, signal });
    try {
      return await proveOlder({
        older: olderSource,
        olderImage: older,
        target: {
          sizeBytes: opened.client.sizeBytes,
          extents: (offset, length) => opened.client.extents(offset, length),
          readInto: (offset, into) => opened.client.readInto(offset, into),
          assertUnchanged: () => Promise.resolve(),
          close: () => opened.close(),
        },
        changes,
        mode: params.verify === 'read-back' ? 'read-back' : 'sample',
        seed: params.seed ?? randomBytes(8).toString('hex'),
        workDir,
        signal,
      });
    } finally {
      await opened.close();
    }
  } finally {
    await olderSource.close();
  }
}

/** Writes all changes and gives the target the newer size; a longer one is cut only when all is written. */
async function writeNewer(params: CopyDeltaParams, newer: DiskSource, changes: RangeList): Promise<void> {
  const { target, workDir, signal } = params;
  const opened = await openDeltaWriter(target, { workDir, signal });
  try {
    await writeChanges({
      newer,
      target: opened.writer,
      changes,
      signal,
      bandwidthBytesPerSecond: params.bandwidthBytesPerSecond,
      onProgress: (bytesDone) => params.onProgress?.({ bytesDone, bytesTotal: changes.totalBytes }),
    });
  } finally {
    await opened.close();
  }
  if (opened.writer.sizeBytes > newer.sizeBytes) await resizeTarget(target, newer.sizeBytes);
}

async function writeAndVerify(params: CopyDeltaParams, changes: RangeList): Promise<VerifyReport | null> {
  const { image, target, workDir, signal, verify } = params;
  const newer = await openSource({ image, workDir, signal });
  try {
    await writeNewer(params, newer, changes);
    await newer.assertUnchanged();
    if (verify === 'none') return null;
    return await verifyDisk({ source: newer, target, mode: verify, workDir, signal });
  } finally {
    await newer.close();
  }
}

async function applyDelta(params: CopyDeltaParams): Promise<DeltaResult> {
  checkLayer(params);
  const { image, target, signal } = params;
  const older = olderImage(image, params.sinceLayer);
  const sizeBytes = image.chain.virtualSizeBytes;
  const sizes = [older.chain.virtualSizeBytes, sizeBytes];
  await assertChainUnchanged(image.chain);
  const journal = { fromFingerprint: pointFingerprint(older), toFingerprint: pointFingerprint(image) };
  const repeated = await wasCut(target.path, journal);
  const targetBytes = await checkDeltaTarget(target, image, sizes);
  const changes = await listChanges({
    image,
    sinceLayer: params.sinceLayer,
    workDir: params.workDir,
    signal,
  });
  const space = await reserveSpace({
    folder: path.dirname(target.path),
    bytes: changes.dataBytes,
    target: target.path,
  });
  try {
    const provenBytes = await proveTarget(params, older, changes);
    await beginDelta(target.path, journal);
    if (targetBytes < sizeBytes) await resizeTarget(target, sizeBytes);
    const verify = await writeAndVerify(params, changes);
    await endDelta(target.path);
    return {
      dataBytes: changes.dataBytes,
      zeroBytes: changes.totalBytes - changes.dataBytes,
      ranges: changes.count,
      repeated,
      provenBytes,
      verify,
    };
  } finally {
    space.release();
  }
}

/**
 * Brings a copy of an older point in time to a newer one of the same chain: writes what lies in the layers above, zeros included, and
 * nothing else. Before the first write the target is compared with the older point wherever the delta does not write; what does not fit is
 * refused and nothing is written. A delta that was cut is repeated by the same call: it starts again and ends right. A journal beside the
 * target keeps any other delta off until then. The file is changed in place: until the end it is neither point.
 *
 * @throws {AppError} DISK_DELTA_BASE_MISMATCH, DISK_SOURCE_BUSY - a program holds the target or the source; DISK_SPACE_EXHAUSTED,
 * DISK_TARGET_BUSY, DISK_TARGET_UNSUPPORTED - changes too scattered; DISK_VERIFY_MISMATCH, DISK_RANGE_INVALID, DISK_SOURCE_CHANGED,
 * DISK_IO_FAILED, OPERATION_CANCELLED and what a source throws
 */
export async function copyDelta(params: CopyDeltaParams): Promise<DeltaResult> {
  try {
    return await applyDelta(params);
  } catch (cause) {
    if (!params.signal.aborted || (isAppError(cause) && cause.code === 'OPERATION_CANCELLED')) throw cause;
    throw new AppError({ code: 'OPERATION_CANCELLED', message: 'apply delta: cancelled', cause });
  }
}
