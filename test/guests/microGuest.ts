import { copyFile, mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { VmSpec } from '@ascend/domain';
import { writeVmSpec, type BuiltBackup } from './builtBackup.ts';
import { cachedFolder } from './cacheFolder.ts';
import { debianRoot, type DebianRootParams } from './debianRoot.ts';
import { buildDisk } from './guestDisk.ts';
import { removeTree, unpackTree, writeGuestFiles } from './guestTree.ts';
import { kernelRelease, loaderPaths } from './kernelFiles.ts';
import { microFiles, microNic, microUuids } from './microFiles.ts';
import { buildMicroInitrd, copyModules } from './microInitrd.ts';

const mib = 1024 ** 2;
const rootDiskBytes = 96 * mib;
const dataDiskBytes = 64 * mib;
const contextName = 'ctx-micro1-20251006-203402';

/** Options of the micro guest's backup. */
export interface MicroBackupParams extends DebianRootParams {
  /** Virtual size of the data disk, e.g. 1.5 TiB: beyond its 63 MiB file system it is a hole with a few data extents. Default: 64 MiB. */
  readonly dataDiskBytes?: number;
  /** Statically linked busybox; default: `/bin/busybox` of the package busybox-static. */
  readonly busyboxPath?: string;
}

/** The VM the micro backup was taken of. */
function microVm(dataSizeBytes: number): VmSpec {
  return {
    name: 'micro1',
    cpuCount: 1,
    coresPerSocket: 1,
    memoryBytes: 128 * mib,
    firmware: 'bios',
    secureBoot: false,
    tpm: false,
    disks: [
      { diskIndex: 0, sizeBytes: rootDiskBytes, bus: 'pvscsi', bootOrder: 0, vmwareDiskKey: 2000 },
      { diskIndex: 1, sizeBytes: dataSizeBytes, bus: 'pvscsi', bootOrder: null, vmwareDiskKey: 2001 },
    ],
    nics: [
      {
        nicIndex: 0,
        mac: microNic.mac,
        network: 'VM Network',
        model: 'vmxnet3',
        addresses: [microNic.address],
      },
    ],
    osId: 'otherLinux64Guest',
    notes: null,
    tags: {},
  };
}

/** A few places spread over the part of the data disk that lies behind its file system; MiB boundaries. */
function farOffsets(sizeBytes: number): readonly number[] {
  if (sizeBytes <= 2 * dataDiskBytes) return [];
  return [0.1, 0.35, 0.5, 0.77]
    .map((share) => Math.floor((sizeBytes * share) / mib) * mib)
    .concat(sizeBytes - mib);
}

async function makeRootTree(
  params: MicroBackupParams,
  debianTree: string,
  partialDir: string,
): Promise<string> {
  const tree = join(partialDir, 'root-tree');
  const release = await kernelRelease(debianTree);
  await writeGuestFiles(tree, microFiles(release));
  await copyModules(debianTree, release, tree);
  await copyFile(join(debianTree, 'boot', `vmlinuz-${release}`), join(tree, 'boot', `vmlinuz-${release}`));
  const busyboxPath = params.busyboxPath ?? '/bin/busybox';
  await mkdir(join(tree, 'bin'));
  await copyFile(busyboxPath, join(tree, 'bin/busybox'));
  const path = join(tree, 'boot', `initrd.img-${release}`);
  await buildMicroInitrd({ modulesTree: tree, busyboxPath, workDir: partialDir, path });
  return tree;
}

async function buildMicro(params: MicroBackupParams, rootTar: string, partialDir: string): Promise<void> {
  const debianTree = join(partialDir, 'debian-tree');
  await unpackTree(rootTar, debianTree);
  const rootTree = await makeRootTree(params, debianTree, partialDir);
  const disk = { partialDir, vmName: 'micro1', contextName, changedBytes: 2 * mib };
  await buildDisk({
    ...disk,
    diskIndex: 0,
    sizeBytes: rootDiskBytes,
    uuid: microUuids.root,
    treeDir: rootTree,
    loader: loaderPaths(debianTree),
    markerPath: '/etc/ascend-marker',
    dataPath: '/srv/changed.bin',
  });
  await removeTree(debianTree);
  await rm(rootTree, { recursive: true });
  const dataTree = join(partialDir, 'data-tree');
  await writeGuestFiles(dataTree, [{ path: 'ascend-marker', text: 'full\n' }]);
  const size = params.dataDiskBytes ?? dataDiskBytes;
  await buildDisk({
    ...disk,
    diskIndex: 1,
    sizeBytes: dataDiskBytes,
    uuid: microUuids.data,
    treeDir: dataTree,
    loader: null,
    markerPath: '/ascend-marker',
    dataPath: '/changed.bin',
    ...(size > dataDiskBytes ? { virtualSizeBytes: size, farOffsets: farOffsets(size) } : {}),
  });
  await rm(dataTree, { recursive: true });
  await writeVmSpec(join(partialDir, 'repository'), contextName, microVm(size));
}

/**
 * A two-disk VM that is up some five seconds after power-on even under emulation: kernel, busybox initrd, drivers for
 * every bus. Backed up three times in the same layout as the sample. For kill, retry, cancel and machine tests.
 */
export async function microBackup(params: MicroBackupParams): Promise<BuiltBackup> {
  const rootTar = await debianRoot(params);
  const sources = [
    'microGuest.ts',
    'microFiles.ts',
    'microInitrd.ts',
    'guestDisk.ts',
    'rawDisk.ts',
    'backupChain.ts',
  ];
  const size = params.dataDiskBytes ?? dataDiskBytes;
  const folder = await cachedFolder({
    cacheDir: params.cacheDir,
    name: 'micro-backup',
    sources: sources.map((name) => join(import.meta.dirname, name)),
    options: { root: basename(dirname(rootTar)), size },
    build: async (partialDir) => buildMicro(params, rootTar, partialDir),
  });
  const vm = microVm(size);
  return {
    repositoryPath: join(folder, 'repository'),
    contextName,
    vmName: vm.name,
    diskCount: vm.disks.length,
    vm,
  };
}
