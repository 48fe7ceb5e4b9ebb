import { basename, dirname, join } from 'node:path';
import { digestDisk, fileSinkModule, openChain, openFileSink } from '@ascend/disk';
import { AppError } from '@ascend/errors';
import { bytesNeeded, type OpenedSink, type DiskRef, type OpenSinkParams } from '@ascend/connector';
import type { KvmConnection } from './connection.ts';
import type { DiskStore } from './diskStore.ts';
import { assertNotCancelled } from './errors.ts';
import { readStorage } from './inventory.ts';
import { diskRecordsFolder } from './naming.ts';

async function assertSpace(params: OpenSinkParams, path: string, heldBytes: number): Promise<void> {
  const { freeBytes } = await readStorage(params.disk.storage, path);
  const needed = bytesNeeded(params.disk) - heldBytes;
  if (needed <= freeBytes) return;
  throw new AppError({
    code: 'TARGET_STORAGE_FULL',
    message: `open disk ${params.name}: storage ${params.disk.storage} has ${freeBytes} bytes free, ${needed} are needed`,
    details: { freeBytes, neededBytes: needed, storage: params.disk.storage },
  });
}

/**
 * Opens the QCOW2 file of one disk. The record of ownership is written before the file, so that a crash in between
 * leaves a record without a file, never a file without an owner.
 *
 * @throws {AppError} TARGET_STORAGE_UNKNOWN, TARGET_STORAGE_FULL, TARGET_NAME_ILLEGAL, OPERATION_CANCELLED
 */
export async function openDisk(
  context: { readonly connection: KvmConnection; readonly disks: DiskStore; readonly workDir: string },
  params: OpenSinkParams,
): Promise<OpenedSink> {
  const { name, disk } = params;
  const { disks } = context;
  assertNotCancelled(params.signal, `open disk ${name}`);
  const finalPath = disks.pathOf(disk.storage, name);
  const folder = context.connection.storages[disk.storage];
  if (finalPath === null || folder === undefined) {
    const message = `open disk ${name}: there is no storage ${disk.storage}`;
    throw new AppError({ code: 'TARGET_STORAGE_UNKNOWN', message });
  }
  if (!params.resume) await disks.remove(name);
  const before = await disks.partialIdentity(disk.storage, name);
  await assertSpace(params, folder, await disks.heldBytes(disk.storage, name));
  await disks.record({
    jobId: params.jobId,
    ownedName: name,
    storage: disk.storage,
    diskIndex: disk.diskIndex,
  });
  const opened = await openFileSink({
    finalPath,
    format: 'qcow2',
    sizeBytes: disk.targetSizeBytes,
    resume: params.resume,
    workDir: context.workDir,
    signal: params.signal,
  });
  const after = await disks.partialIdentity(disk.storage, name);
  const abort = async (): Promise<void> => {
    await opened.sink.abort();
    await disks.remove(name);
  };
  return {
    sink: { ...opened.sink, abort },
    ref: { diskIndex: disk.diskIndex, name, token: { storage: disk.storage } },
    alreadyFinished: opened.alreadyFinished,
    // A partial file that was no usable image has been replaced by an empty one: nothing of it is kept.
    kept: opened.alreadyFinished || (before !== null && before === after),
    module: fileSinkModule({
      finalPath,
      format: 'qcow2',
      sizeBytes: disk.targetSizeBytes,
      // What was opened above is there now, made anew or kept.
      resume: true,
      removeOnAbort: [join(diskRecordsFolder(context.connection.state_dir), `${name}.json`)],
    }),
  };
}

/** The storage a disk reference names; empty when the token is not ours. */
export function storageOf(token: unknown): string {
  const storage: unknown = typeof token === 'object' && token !== null ? Reflect.get(token, 'storage') : null;
  return typeof storage === 'string' ? storage : '';
}

/**
 * Reads a finished disk back and returns its digest.
 *
 * @throws {AppError} TARGET_DISK_MISSING, OPERATION_CANCELLED, DISK_* - the file cannot be read
 */
export async function digestOf(
  disks: DiskStore,
  ref: DiskRef,
  workDir: string,
  signal: AbortSignal,
): Promise<string> {
  const path = disks.pathOf(storageOf(ref.token), ref.name);
  if (path === null || !(await disks.isFinished(storageOf(ref.token), ref.name))) {
    const message = `read disk ${ref.name}: it is not there or not finished`;
    throw new AppError({ code: 'TARGET_DISK_MISSING', message });
  }
  const chain = await openChain({ rootPath: dirname(path), path: basename(path), format: 'qcow2' });
  return digestDisk({ image: { chain, overlays: [] }, workDir, signal });
}
