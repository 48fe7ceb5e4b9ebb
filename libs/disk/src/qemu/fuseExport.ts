import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import type { Blockdev } from '../blockdev.ts';
import { changeFile } from '../fileErrors.ts';
import { makeRunFolder, startDaemon } from './daemon.ts';

/** A disk, or a part of it, as a raw file. */
export interface FuseExport {
  readonly filePath: string;
  readonly sizeBytes: number;
  readonly pid: number;
  /** Flushes, unmounts and waits until the server is gone. Idempotent. */
  close(): Promise<void>;
}

/** What to export. */
export interface ExportFuseParams {
  readonly blockdev: Blockdev;
  readonly writable: boolean;
  readonly workDir: string;
  /** Start of the part, in bytes; default 0. */
  readonly offsetBytes?: number;
  /** Length of the part; default: to the end of the disk. */
  readonly sizeBytes?: number;
  /** Lets other users than the one that runs this open the file. */
  readonly allowOther?: boolean;
  readonly signal?: AbortSignal;
}

/** The part of a disk as a block device of its own. */
function partOf(params: ExportFuseParams): Blockdev {
  if (params.offsetBytes === undefined && params.sizeBytes === undefined) return params.blockdev;
  return {
    driver: 'raw',
    'read-only': !params.writable,
    file: params.blockdev,
    ...(params.offsetBytes === undefined ? {} : { offset: params.offsetBytes }),
    ...(params.sizeBytes === undefined ? {} : { size: params.sizeBytes }),
  };
}

/** Mount points of this machine at or below `folder`, from /proc (octal escapes for blanks undone). */
async function mountsBelow(folder: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCodePoint(Number.parseInt(octal, 8)),
      ),
    )
    .filter((mount) => mount === folder || mount.startsWith(`${folder}/`));
}

/**
 * Takes down mount points below a folder that lost their server. Idempotent; "not mounted" is success.
 *
 * @throws {AppError} DISK_SERVER_FAILED - one of them cannot be taken down; PROCESS_NOT_FOUND
 */
export async function removeStaleMounts(folder: string): Promise<void> {
  for (const mount of await mountsBelow(path.resolve(folder))) {
    await runProcess({
      program: 'fusermount3',
      args: ['-u', '-z', '--', mount],
      okExitCodes: [0, 1],
      timeoutMs: 10_000,
    });
  }
  const [left] = await mountsBelow(path.resolve(folder));
  if (left === undefined) return;
  throw new AppError({
    code: 'DISK_SERVER_FAILED',
    message: `unmount ${left}: it is still mounted after its server has ended`,
    details: { mountPoint: left },
  });
}

/**
 * Exports a disk, or one partition of it, as a raw file by qemu-storage-daemon. A mount point is left in no case: the server
 * takes it down when it or this process ends, and `close` looks again.
 *
 * @throws {AppError} DISK_SOURCE_BUSY, DISK_OPEN_FAILED, DISK_SERVER_FAILED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function exportFuse(params: ExportFuseParams): Promise<FuseExport> {
  const folder = await makeRunFolder(params.workDir);
  const filePath = path.join(folder, 'disk.raw');

  const { dev } = await changeFile('make mount point', filePath, async () => {
    await writeFile(filePath, '');
    return await stat(folder);
  });
  let sizeBytes = 0;
  const isReady = async (): Promise<boolean> => {
    const facts = await stat(filePath).catch(() => null);
    if (facts === null) return false;
    sizeBytes = facts.size;
    return facts.dev !== dev;
  };
  const daemon = await startDaemon({
    operation: 'export disk',
    program: 'qemu-storage-daemon',
    args: [
      '--blockdev',
      JSON.stringify({ 'node-name': 'disk', ...partOf(params) }),
      '--export',
      [
        'type=fuse,id=disk,node-name=disk',
        `mountpoint=${filePath.replaceAll(',', ',,')}`,
        `writable=${params.writable ? 'on' : 'off'}`,
        `allow-other=${params.allowOther === true ? 'on' : 'off'}`,
      ].join(','),
    ],
    folder,
    isReady,
    afterEnd: () => removeStaleMounts(folder),
    ...(params.signal === undefined ? {} : { signal: params.signal }),
  });
  return { filePath, sizeBytes, pid: daemon.pid, close: () => daemon.close() };
}
