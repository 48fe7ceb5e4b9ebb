import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { cachedFolder } from '../cacheFolder.ts';
import { debianRoot, type DebianRootParams } from '../debianRoot.ts';
import { removeTree, runAsGuestRoot, unpackTree } from '../guestTree.ts';
import { runInside } from './insideTree.ts';
import type { MatrixGuest } from './matrixGuest.ts';
import { matrixGuests } from './matrixGuests.ts';
import { trimModules } from './trimModules.ts';

/** What all guests of the matrix start from. */
export interface BaseRoot {
  /** Root file system of a small Debian 12 server. */
  readonly tarPath: string;
  /** Downloaded packages (`archives`) and apt's lists (`lists`): guests are built without a network. */
  readonly packagesDir: string;
}

/** The packages of a guest beyond the base root. */
function packagesOf(guest: MatrixGuest): readonly string[] {
  return guest.firmware === 'uefi' ? [...guest.packages, 'grub-efi-amd64-bin'] : guest.packages;
}

/** apt's options for folders of its own below `/mnt`. */
const aptOptions = [
  'Dir::State::Lists=/mnt/lists',
  'Dir::Cache::archives=/mnt/archives',
  'Dir::Cache::pkgcache=',
  'Dir::Cache::srcpkgcache=',
  'APT::Sandbox::User=root',
  'APT::Install-Recommends=false',
  'Debug::NoLocking=true',
].flatMap((option) => ['-o', option]);

async function download(treeDir: string, packagesDir: string): Promise<void> {
  await mkdir(join(packagesDir, 'lists/partial'), { recursive: true });
  await mkdir(join(packagesDir, 'archives/partial'), { recursive: true });
  const mounts = [{ from: packagesDir, to: '/mnt', kind: 'writable' as const }];
  const apt = async (...args: readonly string[]): Promise<string> =>
    runInside({
      treeDir,
      mounts,
      online: true,
      command: ['/usr/bin/apt-get', ...aptOptions, '-qq', ...args],
    });
  await apt('update');
  const sets = new Set(matrixGuests.map((guest) => packagesOf(guest).join(' ')));
  for (const set of sets) {
    if (set !== '') await apt('--download-only', '--yes', 'install', ...set.split(' '));
  }
}

/** Installs the packages of one guest from what was downloaded; no initramfs is made yet. */
export async function installPackages(treeDir: string, base: BaseRoot, guest: MatrixGuest): Promise<void> {
  const packages = packagesOf(guest);
  if (packages.length === 0) return;
  const mounts = [{ from: base.packagesDir, to: '/mnt', kind: 'read-only' as const }];
  const command = [
    '/usr/bin/apt-get',
    ...aptOptions,
    '-qq',
    '--yes',
    '--no-download',
    'install',
    ...packages,
  ];
  await runInside({ treeDir, mounts, command });
}

/**
 * The base of all guests of the matrix (about 2 min the first time, then cached): the sample guest's root without drivers
 * that no virtual machine has, and the packages that single guests add.
 */
export async function baseRoot(params: DebianRootParams): Promise<BaseRoot> {
  const rootTar = await debianRoot(params);
  const folder = await cachedFolder({
    cacheDir: params.cacheDir,
    name: 'matrix-base',
    sources: ['baseRoot.ts', 'insideTree.ts', 'trimModules.ts'].map((name) =>
      join(import.meta.dirname, name),
    ),
    options: { root: basename(dirname(rootTar)), packages: matrixGuests.map(packagesOf) },
    build: async (partialDir) => {
      const tree = join(partialDir, 'tree');
      await unpackTree(rootTar, tree);
      await trimModules(tree);
      await download(tree, join(partialDir, 'packages'));
      await runAsGuestRoot('tar', ['-cf', join(partialDir, 'base.tar'), '-C', tree, '--numeric-owner', '.']);
      await removeTree(tree);
    },
  });
  return { tarPath: join(folder, 'base.tar'), packagesDir: join(folder, 'packages') };
}
