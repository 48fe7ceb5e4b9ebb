import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import type { RebuildInitramfsEdit } from '../edits/guestEdit.ts';
import type { GuestFiles } from '../guestFiles.ts';
import { encodeCpio, type CpioFile } from '../initramfs/cpio.ts';
import { modulesOf, type Initramfs } from '../initramfs/initramfs.ts';
import { closureOf, readKernelModules, type KernelModules } from '../linux/kernelModules.ts';
import { openInitramfs } from '../linux/kernels.ts';
import { openRootFiles } from '../probe/rootFiles.ts';
import type { ApplyParams } from './applyParams.ts';
import type { GuestRoot } from './guestRoot.ts';
import { busyboxPath } from './guestSandbox.ts';
import { originalSuffix, restoreOriginal } from './rebuildInitramfs.ts';
import { hostSandboxCommand, insidePaths } from './hostSandbox.ts';

const maxModuleBytes = 64 * 1024 * 1024;
const maxIndexBytes = 16 * 1024 * 1024;
const appendTimeoutMs = 5 * 60_000;
const alignBytes = 512;

interface Archive {
  readonly edit: RebuildInitramfsEdit;
  readonly bytes: Buffer;
  readonly imageBytes: number;
}

/** Copies modules out of the guest, without running or mounting it, into a folder of ours. Paths are checked by the reader. */
async function stageModules(
  files: GuestFiles,
  params: { readonly folder: string; readonly version: string; readonly paths: readonly string[] },
): Promise<void> {
  const { folder, version, paths } = params;
  for (const path of paths) {
    const data = await files.read(`/lib/modules/${version}/${path}`, maxModuleBytes);
    if (data === null || path.split('/').includes('..')) {
      throw new AppError({
        code: 'GUEST_EDIT_FAILED',
        message: `append drivers: module ${path} is not there`,
      });
    }
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), data);
  }
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    const data = await files.read(`/lib/modules/${version}/${name}`, maxIndexBytes);
    if (data !== null) await writeFile(join(folder, name), data);
  }
}

/** Writes the indexes that modprobe reads. The machine's depmod parses modules of the guest, so it is sandboxed. */
async function indexModules(stage: string, version: string, signal: AbortSignal): Promise<void> {
  // The unprivileged user of the sandbox writes here; the folder above is private.
  for (const folder of ['lib', 'lib/modules', `lib/modules/${version}`])
    await chmod(join(stage, folder), 0o777);
  await chmod(stage, 0o777);
  const command = await hostSandboxCommand({ purpose: 'tool', volumePath: stage }, [
    'depmod',
    '-b',
    insidePaths.volume,
    version,
  ]);
  await runProcess({ ...command, signal, timeoutMs: appendTimeoutMs });
}

/** Where the image keeps its modules. A folder entry over a link would make the kernel remove the link, so links decide. */
function moduleRoot(image: Initramfs): string {
  const merged =
    [...image.names].some((name) => name.startsWith('usr/lib/modules/')) || image.links.has('lib');
  return merged ? 'usr/lib/modules' : 'lib/modules';
}

/** Folders above `path` that the image does not have yet. */
function missingFolders(image: Initramfs, paths: readonly string[]): readonly CpioFile[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    for (let count = 1; count <= parts.length; count += 1) folders.add(parts.slice(0, count).join('/'));
  }
  return [...folders]
    .filter((folder) => !image.names.has(folder))
    .toSorted()
    .map((name) => ({ name, mode: 0o040755, data: Buffer.alloc(0) }));
}

/** The list of modules that the image loads by name: its own, then ours. */
function loadList(image: Initramfs, modules: readonly string[]): CpioFile {
  const own = image.files.get('conf/modules');
  const name = own === undefined ? 'etc/modules-load.d/ascend.conf' : 'conf/modules';
  const lines = (own?.toString('latin1') ?? '').split('\n').filter((line) => line !== '');
  const text = [...lines, ...modules.filter((module) => !lines.includes(module))].join('\n');
  return { name, mode: 0o100644, data: Buffer.from(`${text}\n`, 'latin1') };
}

async function collectFiles(
  stage: string,
  version: string,
  added: readonly string[],
): Promise<ReadonlyMap<string, Buffer>> {
  const folder = join(stage, 'lib/modules', version);
  const indexes = (await readdir(folder)).filter((name) => name.startsWith('modules.'));
  const found = new Map<string, Buffer>();
  for (const path of [...added, ...indexes]) found.set(path, await readFile(join(folder, path)));
  return found;
}

function modulePaths(modules: KernelModules, names: readonly string[]): readonly string[] {
  return names.map((name) => modules.files.get(name)).filter((path) => path !== undefined);
}

/** Makes the second archive of one image: the modules it lacks, fresh indexes over all it has then, the load list. */
async function buildArchive(
  files: GuestFiles,
  edit: RebuildInitramfsEdit,
  params: ApplyParams,
): Promise<Archive> {
  const version = edit.kernelVersion;
  const original = `/${edit.path}${originalSuffix}`;
  const stat = await files.stat(original);
  const image = await openInitramfs(files, original, params);
  const modules = await readKernelModules(files, version);
  const present = modulesOf(image.names, version);
  const wanted = closureOf(modules, edit.modules);
  const added = modulePaths(
    modules,
    wanted.filter((name) => !present.includes(name)),
  );
  const stage = await mkdtemp(join(params.workDir, 'modules-'));
  try {
    const folder = join(stage, 'lib/modules', version);
    await mkdir(folder, { recursive: true });
    const paths = [...new Set([...modulePaths(modules, present), ...added])];
    await stageModules(files, { folder, version, paths });
    await indexModules(stage, version, params.signal);
    const root = `${moduleRoot(image)}/${version}`;
    const members = [...(await collectFiles(stage, version, added))].map(([path, data]) => ({
      name: `${root}/${path}`,
      mode: 0o100644,
      data,
    }));
    const list = loadList(image, edit.modules);
    const folders = missingFolders(image, [...members.map((member) => member.name), list.name]);
    return { edit, bytes: encodeCpio([...folders, ...members, list]), imageBytes: stat?.sizeBytes ?? 0 };
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

async function buildArchives(
  files: GuestFiles,
  params: ApplyParams,
  edits: readonly RebuildInitramfsEdit[],
): Promise<readonly Archive[]> {
  const archives: Archive[] = [];
  for (const edit of edits) archives.push(await buildArchive(files, edit, params));
  return archives;
}

async function appendArchives(
  root: GuestRoot,
  archives: readonly Archive[],
  { logger }: ApplyParams,
): Promise<void> {
  for (const { edit, bytes, imageBytes } of archives) {
    await restoreOriginal(root, edit.path);
    const padding = Buffer.alloc((alignBytes - (imageBytes % alignBytes)) % alignBytes);
    const args = [busyboxPath, 'dd', `of=/${edit.path}`, 'oflag=append', 'conv=notrunc', 'bs=65536'];
    await root.run({
      args: [...args, 'iflag=fullblock'],
      input: Buffer.concat([padding, bytes]),
      timeoutMs: appendTimeoutMs,
    });
    logger.info('drivers appended to initramfs', { kernel: edit.kernelVersion, bytes: bytes.length });
  }
}

/**
 * Puts the kept original of each image back and appends the drivers to it as a second archive, which the kernel unpacks over the first: needs no program of the
 * guest. The guest's own next rebuild keeps them only through the permanent configuration.
 *
 * @throws {AppError} GUEST_EDIT_FAILED, GUEST_INITRAMFS_UNREADABLE
 */
export async function appendDrivers(
  params: ApplyParams,
  edits: readonly RebuildInitramfsEdit[],
  withRoot: (work: (root: GuestRoot) => Promise<void>) => Promise<void>,
): Promise<void> {
  params.report('append drivers');
  const archives = await (async () => {
    await using opened = await openRootFiles(params);
    return await buildArchives(opened.files, params, edits);
  })();
  await withRoot((root) => appendArchives(root, archives, params));
}

/**
 * The same on a root that is open, with a reader of what is mounted there.
 *
 * @throws {AppError} GUEST_EDIT_FAILED, GUEST_INITRAMFS_UNREADABLE
 */
export async function appendDriversTo(
  { root, files }: { readonly root: GuestRoot; readonly files: GuestFiles },
  params: ApplyParams,
  edits: readonly RebuildInitramfsEdit[],
): Promise<void> {
  params.report('append drivers');
  await appendArchives(root, await buildArchives(files, params, edits), params);
}
