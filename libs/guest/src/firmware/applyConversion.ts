import { mkdtemp, open, rm, writeFile, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskImage } from '@ascend/disk';
import type { LoaderPlace } from '@ascend/domain';
import { AppError, isAppError } from '@ascend/errors';
import { withVolumeFile } from '../apply/volumeFile.ts';
import { openFileSource } from '../byteSource.ts';
import type { ConvertFirmwareEdit } from '../edits/guestEdit.ts';
import { makeFolders } from '../efi/copyEfiFile.ts';
import { fallbackPath } from '../efi/fallbackName.ts';
import { mtools } from '../efi/mtools.ts';
import { addPartition, type DiskWrite } from './addPartition.ts';
import { biosSectors } from './biosSectors.ts';
import { buildLoader } from './buildLoader.ts';
import { formatCommand } from './espFormat.ts';

const sectorBytes = 512;
const insideLoader = '/ascend/loader';

/** What work on a boot loader needs. */
export interface ConversionParams {
  /** The disk it goes to, with an overlay of ours on top. */
  readonly image: DiskImage;
  readonly edit: ConvertFirmwareEdit;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

/** Where the program lies on its EFI system partition: x86-64 is the only architecture with both firmwares. */
export const loaderProgram = fallbackPath('x64');

/** The area of a loader in bytes. */
export function areaVolume({ area }: LoaderPlace): {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
} {
  return { offsetBytes: area.firstSector * sectorBytes, sizeBytes: area.sectors * sectorBytes };
}

async function writeDisk(
  { image, edit, workDir, signal }: ConversionParams,
  work: (diskPath: string) => Promise<readonly DiskWrite[]>,
): Promise<void> {
  const volume = { offsetBytes: 0, sizeBytes: edit.place.diskBytes };
  await withVolumeFile({ image, volume, access: 'write', workDir, signal }, async (path) => {
    const writes = await work(path);
    const file = await open(path, 'r+');
    try {
      for (const { bytes, offsetBytes } of writes) await file.write(bytes, 0, bytes.length, offsetBytes);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

async function newPartition(
  diskPath: string,
  { firmware, place }: ConvertFirmwareEdit,
): Promise<readonly DiskWrite[]> {
  const { newPartition: number, scheme, area } = place;
  if (number === null) return [];
  const source = await openFileSource(diskPath);
  try {
    return await addPartition(source, { number, scheme, area, firmware });
  } finally {
    await source.close();
  }
}

async function toUefi(params: ConversionParams): Promise<void> {
  const { image, edit, workDir, signal } = params;
  const { place } = edit;
  const loader = await buildLoader({ firmware: 'uefi', menu: place.menu, workDir, signal });
  if (place.newPartition !== null) await writeDisk(params, (path) => newPartition(path, edit));
  const folder = await mkdtemp(join(workDir, 'efi-'));
  const program = join(folder, 'grub.efi');
  try {
    await writeFile(program, loader.image);
    await chmod(program, 0o644);
    const volume = areaVolume(place);
    await withVolumeFile({ image, volume, access: 'write', workDir, signal }, async (path) => {
      if (place.newPartition !== null) await mtools(path, formatCommand(place), { okExitCodes: [0], signal });
      await makeFolders(path, loaderProgram, signal);
      await mtools(path, ['mcopy', '-o', insideLoader, `::/${loaderProgram}`], {
        okExitCodes: [0],
        signal,
        binds: [{ from: program, to: insideLoader, access: 'read' }],
      });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function toBios(params: ConversionParams): Promise<void> {
  const { edit, workDir, signal } = params;
  const { area, menu } = edit.place;
  const { bootCode, core } = biosSectors(
    await buildLoader({ firmware: 'bios', menu, workDir, signal }),
    area,
  );
  await writeDisk(params, async (path) => [
    ...(await newPartition(path, edit)),
    { offsetBytes: area.firstSector * sectorBytes, bytes: core },
    { offsetBytes: 0, bytes: bootCode },
  ]);
}

/**
 * Puts GRUB for the other firmware on the top overlay of the boot disk: an EFI system partition with the program that firmware without boot
 * entries starts, or boot sector and core image. The guest's own partitions and boot loader keep their places.
 *
 * @throws {AppError} GUEST_BOOT_LOADER_UNAVAILABLE, GUEST_EDIT_FAILED, DISK_*, OPERATION_CANCELLED
 */
export async function applyConversion(params: ConversionParams): Promise<void> {
  try {
    await (params.edit.firmware === 'uefi' ? toUefi(params) : toBios(params));
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    const message = `put a boot loader for ${params.edit.firmware} on disk ${params.edit.place.diskIndex}: ${cause.message}`;
    throw new AppError({ code: 'GUEST_EDIT_FAILED', message, cause });
  }
}
