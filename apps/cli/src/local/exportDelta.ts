import { stat } from 'node:fs/promises';
import { listChanges, copyDelta, openPoint, type DeltaResult, type DiskImage } from '@ascend/disk';
import { AppError } from '@ascend/errors';
import { withRootHint } from './exportDisks.ts';
import type { ExportRequest } from './exportRequest.ts';

/** A delta that can start: the newer point, and which of its layers the older one is. */
export interface DeltaPlan {
  readonly image: DiskImage;
  readonly sinceLayer: number;
  readonly dataBytes: number;
  readonly zeroBytes: number;
  readonly ranges: number;
  readonly target: { readonly path: string; readonly format: 'raw' | 'qcow2' };
}

async function layerOf(image: DiskImage, deltaFrom: string): Promise<number> {
  const older = await stat(deltaFrom).catch((cause: unknown) => {
    const message = `read --delta-from: ${deltaFrom} is not there`;
    throw new AppError({ code: 'DISK_FILE_MISSING', message, cause });
  });
  for (const [index, layer] of image.chain.layers.entries()) {
    const facts = await stat(layer.absPath).catch(() => null);
    if (index > 0 && facts?.ino === older.ino && facts.dev === older.dev) return index;
  }
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `read --delta-from: ${deltaFrom} is none of the points below the chosen one`,
    details: { candidates: image.chain.layers.slice(1).map((layer) => layer.absPath) },
    hint: 'Name the file of the point in time that the target is a copy of: one of the candidates.',
  });
}

/**
 * Finds what a delta would write. Reads only.
 *
 * @throws {AppError} INPUT_INVALID - the older point is not in the chain; and what opening a chain throws
 */
export async function planDelta(
  request: ExportRequest,
  workDir: string,
  signal: AbortSignal,
): Promise<DeltaPlan> {
  const [disk] = request.disks;
  if (disk === undefined || request.delta === null)
    throw new AppError({ code: 'INTERNAL_BUG', message: 'plan delta: no older point' });
  let image: DiskImage;
  try {
    image = await openPoint({ ...request, file: disk.chain });
  } catch (cause) {
    throw withRootHint(cause);
  }
  const sinceLayer = await layerOf(image, request.delta.from);
  const changes = await listChanges({ image, sinceLayer, workDir, signal });
  return {
    image,
    sinceLayer,
    dataBytes: changes.dataBytes,
    zeroBytes: changes.totalBytes - changes.dataBytes,
    ranges: changes.count,
    target: { path: disk.finalPath, format: request.delta.format },
  };
}

/** Writes a planned delta. @throws {AppError} as `copyDelta` */
export async function runDelta(
  plan: DeltaPlan,
  request: ExportRequest,
  params: {
    readonly workDir: string;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: { readonly bytesDone: number; readonly bytesTotal: number }) => void;
  },
): Promise<DeltaResult> {
  const { verify, bandwidthBytesPerSecond } = request;
  return await copyDelta({
    ...params,
    image: plan.image,
    sinceLayer: plan.sinceLayer,
    target: plan.target,
    verify,
    bandwidthBytesPerSecond,
  });
}
