import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { runAsGuestRoot } from '../guestTree.ts';
import { efiConfiguration, efiProgramPath } from './bootLoader.ts';
import { copyInto, makeEfiFileSystem, makeFileSystem, makeSparse } from './fileSystems.ts';
import { fillLuks, luksHeaderBytes } from './luksContainer.ts';
import { matrixSizes, matrixUuids, type MatrixGuest } from './matrixGuest.ts';
import { assembleDisk, firstPartitionBytes, type LoaderImages, type PartitionContent } from './partitions.ts';
import { makeVolumeGroup } from './volumeGroup.ts';

const mib = 1024 ** 2;
/** Sizes in bytes. The end of a GPT disk holds the second table. */
const sizes = { ...matrixSizes, boot: 160 * mib, swap: 64 * mib, tail: mib };
const luksRootBytes = 640 * mib;

/** Size of the partition that becomes the LUKS container. */
export const luksPartitionBytes = luksHeaderBytes + luksRootBytes;

/** A guest's tree and where its disks are put together. */
export interface MatrixDisksParams {
  readonly guest: MatrixGuest;
  readonly treeDir: string;
  readonly loader: LoaderImages | null;
  /** Receives `disk-N.qcow2`. */
  readonly outDir: string;
  readonly workDir: string;
  /** The formatted, still empty container of a LUKS guest. */
  readonly luksPath: string | null;
}

async function efiPartition(params: MatrixDisksParams): Promise<PartitionContent> {
  const { guest, treeDir, workDir } = params;
  const configPath = join(workDir, 'efi-grub.cfg');
  await writeFile(configPath, efiConfiguration(guest));
  const program = join(treeDir, efiProgramPath);
  const files = [
    { path: 'EFI/debian/grubx64.efi', localPath: program },
    { path: 'EFI/debian/grub.cfg', localPath: configPath },
    ...(guest.hasEfiFallback ? [{ path: 'EFI/BOOT/BOOTX64.EFI', localPath: program }] : []),
  ];
  const path = join(workDir, 'efi.img');
  await makeEfiFileSystem({ path, sizeBytes: sizes.efi, volumeId: matrixUuids.efi, files });
  return { type: 'efi', path, sizeBytes: sizes.efi, guid: matrixUuids.efiPartition };
}

/** Takes `/boot` out of the tree into a partition; what is mounted below it stays behind. */
async function bootPartition(params: MatrixDisksParams): Promise<PartitionContent> {
  const { treeDir, workDir } = params;
  const bootDir = join(workDir, 'boot-tree');
  await rename(join(treeDir, 'boot'), bootDir);
  await mkdir(join(treeDir, 'boot'));
  const path = join(workDir, 'boot.img');
  const { boot: sizeBytes } = sizes;
  await makeFileSystem('ext4', { path, sizeBytes, uuid: matrixUuids.boot, treeDir: bootDir });
  await runAsGuestRoot('rm', ['-rf', bootDir]);
  return { type: 'linux', path, sizeBytes };
}

async function makeSwap(path: string): Promise<void> {
  await makeSparse(path, sizes.swap);
  await runProcess({ program: 'mkswap', args: ['-q', '-U', matrixUuids.swap, path] });
}

async function rootPartition(params: MatrixDisksParams, availableBytes: number): Promise<PartitionContent> {
  const { guest, treeDir, workDir, luksPath } = params;
  const image = join(workDir, 'root.img');
  const make = async (sizeBytes: number): Promise<void> =>
    makeFileSystem(guest.rootFileSystem, { path: image, sizeBytes, uuid: matrixUuids.root, treeDir });
  if (guest.container === 'partition') {
    await make(availableBytes);
    return { type: 'linux', path: image, sizeBytes: availableBytes };
  }
  if (guest.container === 'luks') {
    if (luksPath === null) throw new Error(`${guest.name} has no container`);
    await make(luksRootBytes);
    await fillLuks(luksPath, image);
    return { type: 'luks', path: luksPath, sizeBytes: luksPartitionBytes };
  }
  const swapImage = { path: join(workDir, 'swap.img'), sizeBytes: sizes.swap };
  await makeSwap(swapImage.path);
  // Room for the group's metadata and its last, incomplete extent.
  const rootImage = { path: image, sizeBytes: availableBytes - sizes.swap - 16 * mib };
  await make(rootImage.sizeBytes);
  const path = join(workDir, 'volumes.img');
  await makeVolumeGroup({ path, sizeBytes: availableBytes, rootImage, swapImage });
  return { type: 'lvm', path, sizeBytes: availableBytes };
}

async function toQcow2(rawPath: string, path: string): Promise<void> {
  await runProcess({
    program: 'qemu-img',
    args: ['convert', '-q', '-f', 'raw', '-O', 'qcow2', rawPath, path],
  });
  await rm(rawPath);
}

async function makeDataDisk(params: MatrixDisksParams): Promise<void> {
  const { outDir, workDir } = params;
  const treeDir = join(workDir, 'data-tree');
  await mkdir(treeDir);
  await writeFile(join(treeDir, 'ascend-marker'), 'data\n');
  const path = join(workDir, 'data.img');
  await makeFileSystem('ext4', {
    path,
    sizeBytes: sizes.dataDisk - firstPartitionBytes,
    uuid: matrixUuids.data,
    treeDir,
  });
  const rawPath = join(workDir, 'data.raw');
  await makeSparse(rawPath, sizes.dataDisk);
  await runProcess({
    program: 'sfdisk',
    args: ['--quiet', rawPath],
    input: 'label: dos\nstart=2048, type=83\n',
  });
  await copyInto(path, rawPath, firstPartitionBytes);
  await toQcow2(rawPath, join(outDir, 'disk-0.qcow2'));
}

/** Makes the disks of a guest from its finished tree. The tree is used up. */
export async function makeMatrixDisks(params: MatrixDisksParams): Promise<void> {
  const { guest, outDir, workDir, loader } = params;
  const partitions: PartitionContent[] = [];
  if (guest.firmware === 'uefi') partitions.push(await efiPartition(params));
  // The loader's images lie in /boot: they are read before it may be taken out.
  const kept = loader === null ? null : await keepLoader(loader, workDir);
  if (guest.hasSeparateBoot) partitions.push(await bootPartition(params));
  const used = partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, firstPartitionBytes + sizes.tail);
  partitions.push(await rootPartition(params, sizes.disk - used));
  const path = join(workDir, 'disk.raw');
  const { firmware } = guest;
  await assembleDisk({ path, sizeBytes: sizes.disk, firmware, partitions, loader: kept });
  await toQcow2(path, join(outDir, `disk-${guest.rootDisk}.qcow2`));
  if (guest.rootDisk === 1) await makeDataDisk(params);
}

async function keepLoader(loader: LoaderImages, workDir: string): Promise<LoaderImages> {
  const kept = { bootPath: join(workDir, 'boot.bin'), corePath: join(workDir, 'core.bin') };
  await runAsGuestRoot('cp', [loader.bootPath, kept.bootPath]);
  await runAsGuestRoot('cp', [loader.corePath, kept.corePath]);
  return kept;
}
