import { createCipheriv, createHash } from 'node:crypto';
import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { changeFiles } from './rawDisk.ts';

/** The restore points of every built chain, oldest first. */
export const pointNames = ['full', 'inc1', 'inc2'] as const;

/** One restore point of a built chain. */
export type PointName = (typeof pointNames)[number];

/** Time stamps as in the names of backup files. */
const pointStamps: Readonly<Record<PointName, string>> = {
  full: '20251008-192431',
  inc1: '20251008-200751',
  inc2: '20251008-201358',
};

/** The mount point that backing names are recorded under; it exists on no test machine. */
const foreignRoot = '/mnt/sendense-backups';

/** Bytes that look random but are the same in every build. */
function seededBytes(seed: string, lengthBytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}

/** File name of one disk's image at one point. */
export function imageName(vmName: string, diskIndex: number, point: PointName): string {
  return `backup-${vmName}-disk${diskIndex}-${pointStamps[point]}.qcow2`;
}

/** A raw disk in its full state and how it changes from point to point. */
export interface ChainParams {
  readonly vmName: string;
  readonly contextName: string;
  readonly diskIndex: number;
  /** Changed in place while the increments are made. */
  readonly rawPath: string;
  /** Repository root that receives `<context>/disk-N/…`. */
  readonly repositoryPath: string;
  /** Guest path of the marker file and of the changed data. */
  readonly markerPath: string;
  readonly dataPath: string;
  readonly changedBytes: number;
  /** Final virtual size when it is larger than the raw disk; the rest stays a hole but for `farOffsets`. */
  readonly virtualSizeBytes?: number;
  /** Offsets beyond the raw disk that get 1 MiB of data each, different at each point. */
  readonly farOffsets?: readonly number[];
}

async function qemuImg(...args: readonly string[]): Promise<void> {
  await runProcess({ program: 'qemu-img', args });
}

async function makePoint(params: ChainParams, folder: string, point: PointName): Promise<void> {
  const path = join(folder, imageName(params.vmName, params.diskIndex, point));
  const fullPath = join(folder, imageName(params.vmName, params.diskIndex, 'full'));
  const markerFile = join(folder, 'marker.partial');
  const dataFile = join(folder, 'data.partial');
  await writeFile(markerFile, `${point}\n`);
  await writeFile(
    dataFile,
    seededBytes(`${params.vmName}-${params.diskIndex}-${point}`, params.changedBytes),
  );
  await changeFiles(params.rawPath, [
    { guestPath: params.markerPath, localPath: markerFile },
    { guestPath: params.dataPath, localPath: dataFile },
  ]);
  await rm(markerFile);
  await rm(dataFile);
  if (point === 'full') {
    await qemuImg('convert', '-q', '-f', 'raw', '-O', 'qcow2', params.rawPath, path);
    return;
  }
  // A safe rebase from the changed disk to the full one keeps exactly the clusters that differ: a cumulative increment.
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', params.rawPath, path);
  await qemuImg('rebase', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', fullPath, path);
}

async function growPoint(params: ChainParams, folder: string, point: PointName): Promise<void> {
  if (params.virtualSizeBytes === undefined) return;
  const path = join(folder, imageName(params.vmName, params.diskIndex, point));
  await qemuImg('resize', '-q', '-f', 'qcow2', path, String(params.virtualSizeBytes));
  const pattern = 0x11 * (pointNames.indexOf(point) + 1);
  const writes = (params.farOffsets ?? []).flatMap((offset) => ['-c', `write -q -P ${pattern} ${offset} 1M`]);
  if (writes.length > 0) await runProcess({ program: 'qemu-io', args: ['-f', 'qcow2', ...writes, path] });
}

async function recordForeignBacking(params: ChainParams, folder: string, point: PointName): Promise<void> {
  const path = join(folder, imageName(params.vmName, params.diskIndex, point));
  if (point !== 'full') {
    const full = imageName(params.vmName, params.diskIndex, 'full');
    const recorded = `${foreignRoot}/${params.contextName}/disk-${params.diskIndex}/${full}`;
    await qemuImg('rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', recorded, path);
  }
  const iso = pointStamps[point].replace(
    /^(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
  await utimes(path, new Date(iso), new Date(iso));
}

/**
 * Makes full + two increments of one disk. Both increments have the full as backing file, recorded as an absolute path
 * below `foreignRoot`; `inc2` is therefore cumulative.
 */
export async function buildDiskChain(params: ChainParams): Promise<void> {
  const folder = join(params.repositoryPath, params.contextName, `disk-${params.diskIndex}`);
  const work = `${folder}.partial`;
  await mkdir(work, { recursive: true });
  for (const point of pointNames) await makePoint(params, work, point);
  // Increments first: an increment that outgrows its backing file needs no zero clusters.
  for (const point of pointNames.toReversed()) await growPoint(params, work, point);
  for (const point of pointNames) await recordForeignBacking(params, work, point);
  await rename(work, folder);
}
