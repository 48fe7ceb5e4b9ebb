import { chown } from 'node:fs/promises';
import {
  exportFuse,
  imageBlockdev,
  serveNbd,
  type Blockdev,
  type DiskImage,
  type NbdServer,
} from '@ascend/disk';
import { AppError } from '@ascend/errors';
import type { GuestDisk } from '../probe/openDisks.ts';
import { runsAsRoot, unprivilegedUid } from './hostSandbox.ts';

/** Where one file system lies on its disk. */
export interface VolumePlace {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** `write`: into the top overlay. `read`: works on disks without overlay too. */
export type VolumeAccess = 'read' | 'write';

/** One volume of a disk as a file of this machine. */
export interface VolumeExport {
  readonly volumePath: string;
  /** Flushes and waits until the server is gone. Idempotent. */
  close(): Promise<void>;
}

/** Lets the user of the sandbox read and write an exported file; nothing to do where this process is that user. */
export async function giveToUnprivileged(path: string): Promise<void> {
  if (!runsAsRoot()) return;
  try {
    await chown(path, unprivilegedUid, unprivilegedUid);
  } catch (cause) {
    const message = 'export volume: the file cannot be given to the unprivileged user';
    throw new AppError({ code: 'GUEST_EXECUTOR_UNAVAILABLE', message, cause });
  }
}

interface ExportContext {
  readonly workDir: string;
  readonly signal: AbortSignal;
}

async function exportPart(
  blockdev: Blockdev,
  volume: VolumePlace,
  { access, workDir, signal }: ExportContext & { readonly access: VolumeAccess },
): Promise<VolumeExport> {
  const exported = await exportFuse({
    blockdev,
    writable: access === 'write',
    workDir,
    offsetBytes: volume.offsetBytes,
    sizeBytes: volume.sizeBytes,
    allowOther: runsAsRoot(),
    signal,
  });
  try {
    await giveToUnprivileged(exported.filePath);
  } catch (cause) {
    await exported.close();
    throw cause;
  }
  return { volumePath: exported.filePath, close: () => exported.close() };
}

/**
 * Exports one volume of a disk, and only that: the rest of the disk cannot be reached through it.
 *
 * @throws {AppError} DISK_* - the image cannot be opened
 */
export async function exportVolume(params: {
  readonly image: DiskImage;
  readonly volume: VolumePlace;
  readonly access: VolumeAccess;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<VolumeExport> {
  const { image, volume, access } = params;
  return await exportPart(imageBlockdev(image, { readOnly: access === 'read' }), volume, params);
}

/** A volume of one of several disks. */
export interface DiskPlace extends VolumePlace {
  readonly diskIndex: number;
}

/** Several volumes as writable files, in the order they were asked for. */
export interface VolumesExport {
  readonly volumePaths: readonly string[];
  /** Flushes and waits until all servers are gone. Idempotent. */
  close(): Promise<void>;
}

/** A disk as several exports can share it: QEMU gives the right to write a part of an image to one of them alone. */
function sharedDisk(server: NbdServer): Blockdev {
  const { socketPath, exportName } = server;
  return {
    driver: 'nbd',
    server: { type: 'unix', path: socketPath },
    export: exportName,
    discard: 'unmap',
  };
}

/** The image of one disk. @throws {AppError} INTERNAL_BUG - it is not among them */
export function imageOf(images: readonly GuestDisk[], diskIndex: number): DiskImage {
  const disk = images.find((candidate) => candidate.diskIndex === diskIndex);
  if (disk === undefined) {
    throw new AppError({
      code: 'INTERNAL_BUG',
      message: `export volume: disk ${diskIndex} is not among the images`,
    });
  }
  return disk.image;
}

/**
 * Exports volumes of the top overlays of several disks for writing, each as a file of its own.
 *
 * @throws {AppError} DISK_* - an overlay cannot be opened for writing; INTERNAL_BUG - a disk without overlay
 */
export async function exportVolumes(
  images: readonly GuestDisk[],
  places: readonly DiskPlace[],
  context: ExportContext,
): Promise<VolumesExport> {
  const exports: VolumeExport[] = [];
  const servers = new Map<number, NbdServer>();
  const close = async (): Promise<void> => {
    await Promise.all(exports.map((each) => each.close()));
    await Promise.all([...servers.values()].map((server) => server.close()));
  };
  const diskOf = async ({ diskIndex }: DiskPlace): Promise<Blockdev> => {
    const blockdev = imageBlockdev(imageOf(images, diskIndex), { readOnly: false });
    const connections = places.filter((place) => place.diskIndex === diskIndex).length;
    if (connections === 1) return blockdev;
    const server =
      servers.get(diskIndex) ?? (await serveNbd({ blockdev, writable: true, connections, ...context }));
    servers.set(diskIndex, server);
    return sharedDisk(server);
  };
  try {
    for (const place of places)
      exports.push(await exportPart(await diskOf(place), place, { ...context, access: 'write' }));
    return { volumePaths: exports.map(({ volumePath }) => volumePath), close };
  } catch (cause) {
    await close();
    throw cause;
  }
}
