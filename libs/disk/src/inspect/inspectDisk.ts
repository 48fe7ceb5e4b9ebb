import { stat } from 'node:fs/promises';
import type { SourceFormat } from '@ascend/domain';
import { isAppError, toAppError, type AppError } from '@ascend/errors';
import { analyzeChain } from '../chain/analyzeChain.ts';
import type { ChainLayer, DiskChain } from '../chain/chain.ts';
import { fingerprintOf } from '../chain/fingerprint.ts';
import { openPoint, type OpenPointParams } from '../export/planExport.ts';
import { probeImage } from '../repository/probeImage.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { layerExtents } from '../source/layerExtents.ts';
import { openSource } from '../source/openSource.ts';

/** One file of a chain, and what of the disk it holds. Byte counts are null when the map of the file cannot be read. */
export interface InspectedLayer {
  readonly relPath: string;
  readonly absPath: string;
  readonly format: SourceFormat;
  readonly virtualSizeBytes: number;
  readonly fileSizeBytes: number;
  /** What the file takes on its storage. */
  readonly storedBytes: number;
  readonly clusterBytes: number | null;
  readonly closedCleanly: boolean;
  /** The backing file exactly as recorded, and where it was found; null for the lowest file. */
  readonly backing: {
    readonly recorded: string;
    readonly recordedFormat: SourceFormat | null;
    readonly found: string;
  } | null;
  /** Data that this file alone holds, whether or not a file above hides it. */
  readonly allocatedBytes: number | null;
  /** What changed since the file below: data, and ranges that became zeros. null for the lowest file. */
  readonly dirtyBytes: number | null;
  /** Data of the chosen point that comes from this file. */
  readonly visibleBytes: number | null;
}

/** What a disk is made of and whether it can be relied on. */
export interface InspectedDisk<T> {
  readonly rootPath: string;
  readonly virtualSizeBytes: number;
  /** Data at the chosen point; null when the disk cannot be served. */
  readonly allocatedBytes: number | null;
  /** As a plan for this disk alone would have it. */
  readonly fingerprint: string;
  /** Top (the chosen point) first. */
  readonly layers: readonly InspectedLayer[];
  readonly remarks: readonly string[];
  /** The first thing that is wrong; null: every check passed. */
  readonly problem: AppError | null;
  /** What `examine` found; null when the disk cannot be read. */
  readonly contents: T | null;
}

/** Which disk to inspect. */
export interface InspectDiskParams<T> extends OpenPointParams {
  readonly workDir: string;
  readonly signal: AbortSignal;
  /** Looks into the disk, e.g. for its partitions. Danger: the content is hostile. */
  readonly examine: (source: DiskSource) => Promise<T>;
}

interface LayerBytes {
  data: number;
  zero: number;
}

/** Bytes by depth of the whole chain. */
async function bytesByDepth(
  chain: DiskChain,
  context: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<readonly LayerBytes[]> {
  const sums = chain.layers.map((): LayerBytes => ({ data: 0, zero: 0 }));
  const { workDir, signal } = context;
  for await (const extent of layerExtents({ image: { chain, overlays: [] }, workDir, signal })) {
    const sum = sums[extent.depth];
    if (sum !== undefined && extent.kind !== 'hole') sum[extent.kind] += extent.lengthBytes;
  }
  return sums;
}

/** null for what cannot be read, so that one damaged file does not hide the others; a cancellation passes. */
async function orNull<T>(problems: AppError[], operation: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (cause) {
    const known = toAppError(cause, operation);
    if (known.code === 'OPERATION_CANCELLED') throw known;
    problems.push(known);
    return null;
  }
}

async function inspectLayer(
  chain: DiskChain,
  index: number,
  layer: ChainLayer,
  visible: LayerBytes | undefined,
  context: { readonly workDir: string; readonly signal: AbortSignal; readonly problems: AppError[] },
): Promise<InspectedLayer> {
  const header = await probeImage(layer.absPath, layer.format);
  const below = chain.layers[index + 1];
  const alone = { ...chain, layers: [layer], virtualSizeBytes: layer.virtualSizeBytes };
  const own = await orNull(context.problems, `map ${layer.relPath}`, () => bytesByDepth(alone, context));
  const bytes = own?.[0];
  return {
    relPath: layer.relPath,
    absPath: layer.absPath,
    format: layer.format,
    virtualSizeBytes: layer.virtualSizeBytes,
    fileSizeBytes: layer.fileSizeBytes,
    storedBytes: (await stat(layer.absPath)).blocks * 512,
    clusterBytes: header.clusterBytes,
    closedCleanly: header.closedCleanly,
    backing:
      header.backingName === null || below === undefined
        ? null
        : { recorded: header.backingName, recordedFormat: header.backingFormat, found: below.absPath },
    allocatedBytes: bytes?.data ?? null,
    dirtyBytes: below === undefined || bytes === undefined ? null : bytes.data + bytes.zero,
    visibleBytes: visible?.data ?? null,
  };
}

async function examineDisk<T>(chain: DiskChain, params: InspectDiskParams<T>): Promise<T> {
  const { workDir, signal } = params;
  const source = await openSource({ image: { chain, overlays: [] }, workDir, signal });
  try {
    return await params.examine(source);
  } finally {
    await source.close();
  }
}

/**
 * Looks at one disk of a backup from all sides: its chain, what each file holds, the checks of its metadata, and what is on it. Reads
 * only. Damage that leaves something to tell is in `problem`; only a chain that cannot be opened at all is an error.
 *
 * @throws {AppError} as `openChain`; OPERATION_CANCELLED
 */
export async function inspectDisk<T>(params: InspectDiskParams<T>): Promise<InspectedDisk<T>> {
  const { chain } = await openPoint(params);
  const { workDir, signal } = params;
  const problems: AppError[] = [];
  const analysis = await orNull(problems, 'check disk', () =>
    analyzeChain(chain, { diskIndex: 0, workDir, signal }),
  );
  const visible = await orNull(problems, 'map disk', () => bytesByDepth(chain, { workDir, signal }));
  const layers: InspectedLayer[] = [];
  for (const [index, layer] of chain.layers.entries()) {
    layers.push(await inspectLayer(chain, index, layer, visible?.[index], { workDir, signal, problems }));
  }
  const contents = await orNull(problems, 'read disk', () => examineDisk(chain, params));
  return {
    rootPath: chain.rootPath,
    virtualSizeBytes: chain.virtualSizeBytes,
    allocatedBytes: analysis?.allocatedBytes ?? null,
    fingerprint: fingerprintOf([{ diskIndex: 0, layers: chain.layers }]),
    layers,
    remarks: analysis?.remarks ?? chain.remarks,
    problem: problems.find(isAppError) ?? null,
    contents,
  };
}
