import type { DiskImage } from '@ascend/disk';
import type { Finding } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { hostSandboxCommand, insidePaths } from '../apply/hostSandbox.ts';
import { withVolumeFile } from '../apply/volumeFile.ts';
import { openFileSource } from '../byteSource.ts';
import { mtools } from '../efi/mtools.ts';
import type { GuestChange } from '../verify/guestDiff.ts';
import { failedCheck, passedCheck } from '../verify/verifyFinding.ts';
import { readPartitionTable } from '../volumes/partitionTable.ts';
import { biosBootType, espTypes } from '../volumes/partitionTypes.ts';
import { areaVolume, loaderProgram, type ConversionParams } from './applyConversion.ts';
import { biosSectors } from './biosSectors.ts';
import { buildLoader, type LoaderImage } from './buildLoader.ts';

const timeoutMs = 60_000;

/** Findings and changes of a check. */
export interface ConversionReport {
  readonly findings: readonly Finding[];
  readonly diff: readonly GuestChange[];
}

/** What verification works with. */
export interface VerifyConversionParams extends ConversionParams {
  /** Of the disk with the menu. */
  readonly menuImage: DiskImage;
}

function judge(isGood: boolean, what: string, evidence: string): Finding {
  return isGood
    ? passedCheck(`${what} is as planned`, evidence)
    : failedCheck(`${what} is not as planned`, evidence);
}

/** sfdisk's opinion of the whole table: it refuses what is damaged and complains about overlaps. */
async function checkedBySfdisk(diskPath: string, signal: AbortSignal): Promise<string | null> {
  const inside = ['sfdisk', '--verify', insidePaths.volume];
  const command = await hostSandboxCommand({ purpose: 'tool', volumePath: diskPath }, inside);
  const { exitCode, stdout, stderr } = await runProcess({
    ...command,
    okExitCodes: [0, 1],
    signal,
    timeoutMs,
  });
  return exitCode === 0 ? null : `${stdout} ${stderr}`.trim().slice(0, 400);
}

async function readTable(diskPath: string) {
  const source = await openFileSource(diskPath);
  try {
    return await readPartitionTable(source);
  } finally {
    await source.close();
  }
}

async function verifyTable(params: VerifyConversionParams): Promise<readonly Finding[]> {
  const { image, edit, workDir, signal } = params;
  const { place, firmware } = edit;
  const volume = { offsetBytes: 0, sizeBytes: place.diskBytes };
  return await withVolumeFile({ image, volume, access: 'read', workDir, signal }, async (path) => {
    const complaint = await checkedBySfdisk(path, signal);
    const whole = judge(complaint === null, 'the partition table', complaint ?? 'sfdisk --verify');
    if (place.newPartition === null) return [whole];
    const { offsetBytes, sizeBytes } = areaVolume(place);
    const types = firmware === 'uefi' ? espTypes : new Set([biosBootType]);
    const { partitions } = await readTable(path);
    const there = partitions.some(
      (part) =>
        part.number === place.newPartition &&
        part.offsetBytes === offsetBytes &&
        part.sizeBytes === sizeBytes &&
        types.has(part.type),
    );
    return [whole, judge(there, `partition ${place.newPartition}`, `sector ${place.area.firstSector}`)];
  });
}

async function sameProgram(params: VerifyConversionParams, loader: LoaderImage): Promise<boolean> {
  const { image, edit, workDir, signal } = params;
  const volume = areaVolume(edit.place);
  return await withVolumeFile({ image, volume, access: 'read', workDir, signal }, async (path) => {
    const chunks: Buffer[] = [];
    const onStdout = (chunk: Buffer): void => void chunks.push(chunk);
    const args = ['mcopy', `::/${loaderProgram}`, '-'];
    await mtools(path, args, { okExitCodes: [0, 1], signal, onStdout });
    return Buffer.concat(chunks).equals(loader.image);
  });
}

async function sameSectors(params: VerifyConversionParams, loader: LoaderImage): Promise<boolean> {
  const { image, edit, workDir, signal } = params;
  const { area, diskBytes } = edit.place;
  const { bootCode, core } = biosSectors(loader, area);
  const volume = { offsetBytes: 0, sizeBytes: diskBytes };
  return await withVolumeFile({ image, volume, access: 'read', workDir, signal }, async (path) => {
    const source = await openFileSource(path);
    try {
      const code = await source.read(0, bootCode.length);
      return (
        bootCode.equals(code) &&
        core.equals(await source.read(areaVolume(edit.place).offsetBytes, core.length))
      );
    } finally {
      await source.close();
    }
  });
}

/** GRUB's own drivers, run as a program here, read the menu where the loader will look for it: features of a file system that they do not know are found. */
async function verifyMenu({ menuImage, edit, workDir, signal }: VerifyConversionParams): Promise<Finding> {
  const { menu } = edit.place;
  const what = `the menu ${menu.path}, read by GRUB's own drivers,`;
  const place = { image: menuImage, volume: menu, access: 'read', workDir, signal } as const;
  return await withVolumeFile(place, async (path) => {
    const inside = ['grub-fstest', insidePaths.volume, 'cat', `(loop0)${menu.path}`];
    const command = await hostSandboxCommand({ purpose: 'tool', volumePath: path }, inside);
    try {
      const { stdout } = await runProcess({ ...command, signal, timeoutMs });
      return judge(/^\s*menuentry\b/m.test(stdout), what, `${stdout.length} characters`);
    } catch (cause) {
      if (signal.aborted || !isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
      return judge(false, what, String(cause.details['stderrTail'] ?? cause.message).slice(0, 400));
    }
  });
}

/**
 * Looks again at a boot loader that was put on a disk: table by sfdisk and this project's reader, every byte of the loader, and that GRUB reads
 * the guest's menu.
 *
 * @throws {AppError} GUEST_BOOT_LOADER_UNAVAILABLE, DISK_*, PROCESS_*, OPERATION_CANCELLED
 */
export async function verifyConversion(params: VerifyConversionParams): Promise<ConversionReport> {
  const { edit, workDir, signal } = params;
  const { firmware, place } = edit;
  const loader = await buildLoader({ firmware, menu: place.menu, workDir, signal });
  const isUefi = firmware === 'uefi';
  const same = await (isUefi ? sameProgram : sameSectors)(params, loader);
  const where = isUefi ? loaderProgram : 'the BIOS boot loader';
  const findings = [
    ...(await verifyTable(params)),
    judge(same, where, `${loader.image.length} bytes`),
    await verifyMenu(params),
  ];
  const disk = `disk ${place.diskIndex}`;
  const size = `${Math.floor(place.area.sectors / 2)} KiB at sector ${place.area.firstSector}`;
  const kind = isUefi ? 'EFI system partition' : 'BIOS boot partition';
  const added =
    place.newPartition === null
      ? []
      : [{ path: `partition ${place.newPartition} of ${disk}`, change: `added: ${kind} of ${size}` }];
  const program = isUefi
    ? { path: loaderProgram, change: `GRUB of ${loader.image.length} bytes that shows ${place.menu.path}` }
    : {
        path: `boot sector of ${disk}`,
        change: `GRUB at sector ${place.area.firstSector} that shows ${place.menu.path}`,
      };
  return { findings, diff: [...added, program] };
}
