import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { VmSpec } from '@ascend/domain';
import { cachedFolder } from '../cacheFolder.ts';
import type { DebianRootParams } from '../debianRoot.ts';
import { addFiles, removeTree, unpackTree } from '../guestTree.ts';
import { baseRoot, installPackages, type BaseRoot } from './baseRoot.ts';
import { installBootLoader } from './bootLoader.ts';
import { holdInitramfs, makeInitramfs } from './initramfs.ts';
import { formatLuks } from './luksContainer.ts';
import { luksKeyPath, matrixFiles, matrixHost } from './matrixFiles.ts';
import { luksPartitionBytes, makeMatrixDisks } from './matrixDisks.ts';
import { matrixNic, matrixSizes, sourceBus, type MatrixGuest } from './matrixGuest.ts';
import { trimModules } from './trimModules.ts';

const mib = 1024 ** 2;

/** A built guest. The folder lies in the cache and is read-only for its users. */
export interface BuiltGuest {
  readonly guest: MatrixGuest;
  /** Holds `disk-N.qcow2`. */
  readonly folder: string;
  readonly vm: VmSpec;
}

/** The VM that a guest was: disks in order, its one card. */
function matrixVm(guest: MatrixGuest): VmSpec {
  const nic = matrixNic(guest);
  return {
    name: matrixHost(guest),
    cpuCount: 2,
    coresPerSocket: 1,
    memoryBytes: 512 * mib,
    firmware: guest.firmware,
    secureBoot: false,
    tpm: false,
    disks: Array.from({ length: guest.rootDisk + 1 }, (_, diskIndex) => ({
      diskIndex,
      sizeBytes: diskIndex === guest.rootDisk ? matrixSizes.disk : matrixSizes.dataDisk,
      bus: sourceBus(guest),
      bootOrder: diskIndex === guest.rootDisk ? 0 : null,
      vmwareDiskKey: 2000 + diskIndex,
    })),
    nics: [{ nicIndex: 0, mac: nic.mac, network: 'VM Network', model: 'vmxnet3', addresses: [nic.address] }],
    osId: 'debian12_64Guest',
    notes: null,
    tags: {},
  };
}

async function makeTree(
  guest: MatrixGuest,
  base: BaseRoot,
  treeDir: string,
  stagingDir: string,
): Promise<void> {
  await unpackTree(base.tarPath, treeDir);
  await holdInitramfs(treeDir, stagingDir);
  await installPackages(treeDir, base, guest);
  if (guest.packages.some((name) => name.startsWith('linux-image'))) await trimModules(treeDir);
  await addFiles(treeDir, stagingDir, matrixFiles(guest));
}

async function makeContainer(treeDir: string, workDir: string, stagingDir: string): Promise<string> {
  const luksPath = join(workDir, 'luks.img');
  const keyFilePath = join(workDir, 'root.key');
  const text = 'key file of the matrix guest: worthless outside of tests\n';
  await writeFile(keyFilePath, text, { mode: 0o600 });
  await addFiles(treeDir, stagingDir, [{ path: luksKeyPath.slice(1), text, mode: 0o400 }]);
  await formatLuks({ path: luksPath, sizeBytes: luksPartitionBytes, keyFilePath });
  return luksPath;
}

async function buildMatrixGuest(guest: MatrixGuest, base: BaseRoot, partialDir: string): Promise<void> {
  const workDir = join(partialDir, 'work');
  await mkdir(workDir);
  const treeDir = join(workDir, 'tree');
  const stagingDir = join(workDir, 'staging');
  await makeTree(guest, base, treeDir, stagingDir);
  const isLuks = guest.container === 'luks';
  const luksPath = isLuks ? await makeContainer(treeDir, workDir, stagingDir) : null;
  await makeInitramfs(guest, treeDir, stagingDir);
  const loader = await installBootLoader(guest, treeDir, stagingDir);
  await makeMatrixDisks({ guest, treeDir, loader, outDir: partialDir, workDir, luksPath });
  await removeTree(workDir);
}

/**
 * One guest of the boot matrix as QCOW2 images without history (about 30 s each once the base is there, then cached). LVM, xfs and Btrfs need root
 * and loop devices; all others are built by anyone who may use user namespaces.
 */
export async function builtMatrixGuest(guest: MatrixGuest, params: DebianRootParams): Promise<BuiltGuest> {
  const base = await baseRoot(params);
  const notPartOfIt = new Set(['build.ts', 'matrixGuests.ts', 'bootVariables.ts', 'sourceMachine.ts']);
  const sources = (await readdir(import.meta.dirname)).filter((name) => !notPartOfIt.has(name)).toSorted();
  const folder = await cachedFolder({
    cacheDir: params.cacheDir,
    name: `matrix-${guest.name}`,
    sources: sources.map((name) => join(import.meta.dirname, name)),
    options: { guest, base: basename(dirname(base.tarPath)) },
    build: async (partialDir) => buildMatrixGuest(guest, base, partialDir),
  });
  return { guest, folder, vm: matrixVm(guest) };
}
