import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProcess } from '@ascend/runtime';

/** One file put into a guest tree. `link` makes a symbolic link instead of a file. */
export type GuestFile =
  | { readonly path: string; readonly text: string; readonly mode?: number }
  | { readonly path: string; readonly link: string };

/** Runs one program as root of its own user namespace, or plainly when already root: files keep the guest's owners. */
export async function runAsGuestRoot(program: string, args: readonly string[]): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  const result = isRoot
    ? await runProcess({ program, args })
    : await runProcess({
        program: 'unshare',
        args: ['--map-root-user', '--map-auto', '--', program, ...args],
      });
  return result.stdout;
}

/** Writes files and links below `rootDir`, making the folders on the way. */
export async function writeGuestFiles(rootDir: string, files: readonly GuestFile[]): Promise<void> {
  for (const file of files) {
    const path = join(rootDir, file.path);
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    if ('link' in file) await symlink(file.link, path);
    else await writeFile(path, file.text, { mode: file.mode ?? 0o644 });
  }
}

/** Unpacks a root file system archive; device nodes stay behind (the guest's kernel makes its own). */
export async function unpackTree(tarPath: string, intoDir: string): Promise<void> {
  await mkdir(intoDir, { recursive: true });
  await runAsGuestRoot('tar', ['-xf', tarPath, '-C', intoDir, '--numeric-owner', '--exclude=./dev/*']);
}

/** Removes a tree that may hold files of mapped owners. */
export async function removeTree(dir: string): Promise<void> {
  await runAsGuestRoot('rm', ['-rf', '--one-file-system', dir]);
}

/** Copies files into an unpacked tree; they belong to root there. `stagingDir` is used and emptied. */
export async function addFiles(
  treeDir: string,
  stagingDir: string,
  files: readonly GuestFile[],
): Promise<void> {
  await writeGuestFiles(stagingDir, files);
  await runAsGuestRoot('cp', ['-r', '--no-dereference', '--preserve=mode', `${stagingDir}/.`, treeDir]);
  await rm(stagingDir, { recursive: true });
}
