import { chmod, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { blockdevArgument, fileBlockdev, qemuDrivers, type DiskImage } from './blockdev.ts';
import { changeFile } from './fileErrors.ts';
import { toolError } from './qemu/qemuError.ts';

/** Makes what was written to a file or folder durable. */
async function syncPath(absPath: string): Promise<void> {
  const handle = await open(absPath, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a complete file its final name, durably. An earlier file of that name is replaced. */
export async function publishFile(partialPath: string, finalPath: string): Promise<void> {
  await changeFile('publish', finalPath, async () => {
    await syncPath(partialPath);
    await rename(partialPath, finalPath);
    await syncPath(path.dirname(finalPath));
  });
}

/**
 * Makes an empty QCOW2 file of our own that stands alone: no backing name, no data.
 *
 * @throws {AppError} DISK_SPACE_EXHAUSTED, DISK_IO_FAILED, PROCESS_NOT_FOUND
 */
async function createQcow2(filePath: string, sizeBytes: number): Promise<void> {
  try {
    await runProcess({
      program: 'qemu-img',
      args: ['create', '-q', '-f', 'qcow2', filePath, String(sizeBytes)],
    });
  } catch (cause) {
    throw toolError(`create ${filePath}`, cause, 'DISK_IO_FAILED');
  }
  // It will hold a guest's data: nobody else on this machine reads it.
  await changeFile('protect', filePath, () => chmod(filePath, 0o600));
}

/**
 * Creates an empty overlay for a disk (D8). It records no backing name: what lies below it is said each time it is opened
 * (`imageBlockdev`). An older file of the name is replaced.
 *
 * @throws {AppError} DISK_SPACE_EXHAUSTED, DISK_IO_FAILED, PROCESS_NOT_FOUND
 */
export async function createOverlay(params: {
  readonly image: DiskImage;
  readonly path: string;
}): Promise<void> {
  await changeFile('remove', params.path, () => rm(params.path, { force: true }));
  await createQcow2(params.path, params.image.chain.virtualSizeBytes);
}

/**
 * Writes the name of the backup's top file into an overlay that leaves this product: other programs find what lies below
 * it. Here it is still opened by explicit description alone. No data is touched; the backup is not opened.
 *
 * @throws {AppError} DISK_IO_FAILED, PROCESS_NOT_FOUND
 */
export async function recordBacking(params: {
  readonly image: DiskImage;
  readonly path: string;
}): Promise<void> {
  const [top] = params.image.chain.layers;
  if (top === undefined || top.format === 'ebs-snapshot') return;
  // The tools take json:{…} and protocol:… for a name; an absolute path is neither.
  const args = ['rebase', '-u', '-f', 'qcow2', '-b', top.absPath, '-F', qemuDrivers[top.format], params.path];
  try {
    await runProcess({ program: 'qemu-img', args });
  } catch (cause) {
    throw toolError(`record backing of ${params.path}`, cause, 'DISK_IO_FAILED');
  }
}

/**
 * Seals a finished overlay: checks that nobody has it open for writing and that its metadata is sound, then fsync, mode 0444,
 * rename. On failure the partial file stays under its partial name.
 *
 * @throws {AppError} DISK_SOURCE_BUSY - a writer still has it open; DISK_IMAGE_CORRUPT, DISK_FILE_MISSING, DISK_FILE_UNREADABLE
 */
export async function sealOverlay(params: {
  readonly partialPath: string;
  readonly finalPath: string;
}): Promise<void> {
  const image = blockdevArgument(fileBlockdev(params.partialPath, 'qcow2'));
  try {
    // Exit code 3: clusters were leaked (space, not content), which a killed writer may leave.
    await runProcess({ program: 'qemu-img', args: ['check', '-q', image], okExitCodes: [0, 3] });
  } catch (cause) {
    throw toolError(`seal ${params.partialPath}`, cause, 'DISK_IMAGE_CORRUPT');
  }
  await changeFile('protect', params.partialPath, () => chmod(params.partialPath, 0o444));
  await publishFile(params.partialPath, params.finalPath);
}
