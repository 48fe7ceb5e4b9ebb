import { copyFile, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runProcess } from '@ascend/runtime';
import { writeGuestFiles } from './guestTree.ts';
import { microInit, microModules } from './microFiles.ts';

function moduleName(path: string): string {
  return (path.split('/').at(-1) ?? '').replace(/\.ko.*$/, '').replaceAll('-', '_');
}

/** Paths of the wanted modules and all they depend on, relative to the modules folder. Built-in ones have none. */
function moduleClosure(modulesDep: string, wanted: readonly string[]): readonly string[] {
  const needs = new Map<string, readonly string[]>();
  const paths = new Map<string, string>();
  for (const line of modulesDep.split('\n')) {
    const [path, rest] = line.split(':');
    if (path === undefined || rest === undefined) continue;
    paths.set(moduleName(path), path);
    needs.set(
      path,
      rest.split(' ').filter((item) => item !== ''),
    );
  }
  const chosen = new Set<string>();
  for (const name of wanted) {
    const path = paths.get(name);
    if (path === undefined) continue;
    chosen.add(path);
    for (const other of needs.get(path) ?? []) chosen.add(other);
  }
  return [...chosen].sort();
}

/** Copies the micro guest's modules from an unpacked Debian tree into `intoDir/lib/modules/<release>`, with fresh indexes. */
export async function copyModules(debianTree: string, release: string, intoDir: string): Promise<void> {
  const from = join(debianTree, 'usr/lib/modules', release);
  const to = join(intoDir, 'lib/modules', release);
  const modulesDep = await readFile(join(from, 'modules.dep'), 'utf8');
  for (const path of moduleClosure(modulesDep, microModules)) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await copyFile(join(from, path), join(to, path));
  }
  for (const name of await readdir(from)) {
    if (/^modules\.(order|builtin|builtin\.modinfo)$/.test(name))
      await copyFile(join(from, name), join(to, name));
  }
  await runProcess({ program: 'depmod', args: ['-b', intoDir, release] });
}

/** Makes the micro guest's initrd: busybox, one script and the modules, as a gzip-compressed cpio archive. */
export async function buildMicroInitrd(params: {
  readonly modulesTree: string;
  readonly busyboxPath: string;
  readonly workDir: string;
  readonly path: string;
}): Promise<void> {
  const tree = join(params.workDir, 'initrd-tree');
  await writeGuestFiles(tree, [{ path: 'init', text: microInit, mode: 0o755 }]);
  await mkdir(join(tree, 'bin'));
  await copyFile(params.busyboxPath, join(tree, 'bin/busybox'));
  await symlink('busybox', join(tree, 'bin/sh'));
  await cp(join(params.modulesTree, 'lib'), join(tree, 'lib'), { recursive: true });
  const archive = join(params.workDir, 'initrd.cpio');
  const names = (await readdir(tree, { recursive: true })).sort();
  await runProcess({
    program: 'cpio',
    args: ['-o', '-H', 'newc', '-R', '0:0', '--quiet', '-O', archive],
    cwd: tree,
    input: `.\n${names.join('\n')}\n`,
  });
  await writeFile(params.path, gzipSync(await readFile(archive)));
  await rm(archive);
  await rm(tree, { recursive: true });
}
