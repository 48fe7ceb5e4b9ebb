import { truncate, writeFile } from 'node:fs/promises';
import { runProcess } from '@ascend/runtime';
import type { GuestMount } from '../../apply/guestMount.ts';
import { insidePaths } from '../../apply/hostSandbox.ts';
import { giveToUnprivileged } from '../../apply/volumeExport.ts';
import { mountNtfs } from '../../windows/ntfs/mountNtfs.ts';
import { ntfsVolume } from '../../windows/ntfs/ntfsVolume.ts';
import type { FileTree } from './memoryFiles.ts';

/** What no honest Windows has. */
export interface OddFiles {
  /** Symbolic links, path → target as stored; a file of that name goes. */
  readonly links?: Readonly<Record<string, string>>;
  /** Files without contents, path → size. */
  readonly sparse?: Readonly<Record<string, number>>;
}

async function makeOdd(
  mount: GuestMount,
  { links = {}, sparse = {} }: OddFiles,
  signal: AbortSignal,
): Promise<void> {
  const run = async (...command: readonly string[]): Promise<void> => {
    const [program = '', ...args] = [...mount.enter, ...command];
    await runProcess({ program, args, signal });
  };
  for (const [path, target] of Object.entries(links)) {
    await run('rm', '-rf', `${insidePaths.mount}${path}`);
    await run('ln', '-s', target, `${insidePaths.mount}${path}`);
  }
  for (const [path, size] of Object.entries(sparse))
    await run('truncate', '-s', String(size), `${insidePaths.mount}${path}`);
}

/** Makes an NTFS volume with these files as a raw image, in the sandbox. Needs ntfs-3g (mkntfs) and FUSE. */
export async function writePhonyVolume(params: {
  readonly path: string;
  readonly files: FileTree;
  readonly odd?: OddFiles;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { path, files, workDir, signal, odd = {} } = params;
  await writeFile(path, '');
  await truncate(path, 32 * 1024 * 1024);
  await runProcess({ program: 'mkntfs', args: ['-F', '-Q', '-q', path], signal });
  await giveToUnprivileged(path);
  const mount = await mountNtfs({ volumePath: path, workDir, acceptDirty: false, signal });
  try {
    const volume = ntfsVolume(mount, signal);
    for (const [name, bytes] of files) await volume.write(name, bytes);
    await makeOdd(mount, odd, signal);
    await mount.unmount();
  } finally {
    await mount.kill();
  }
}
