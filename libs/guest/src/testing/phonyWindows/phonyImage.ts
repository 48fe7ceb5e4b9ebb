import { truncate, writeFile } from 'node:fs/promises';
import { runProcess } from '@ascend/runtime';
import { giveToUnprivileged } from '../../apply/volumeExport.ts';
import { mountNtfs } from '../../windows/ntfs/mountNtfs.ts';
import { ntfsVolume } from '../../windows/ntfs/ntfsVolume.ts';
import type { FileTree } from './memoryFiles.ts';

/** Makes an NTFS volume with these files as a raw image, in the sandbox. Needs ntfs-3g (mkntfs) and FUSE. */
export async function writePhonyVolume(params: {
  readonly path: string;
  readonly files: FileTree;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { path, files, workDir, signal } = params;
  await writeFile(path, '');
  await truncate(path, 32 * 1024 * 1024);
  await runProcess({ program: 'mkntfs', args: ['-F', '-Q', '-q', path], signal });
  await giveToUnprivileged(path);
  const mount = await mountNtfs({ volumePath: path, workDir, acceptDirty: false, signal });
  try {
    const volume = ntfsVolume(mount, signal);
    for (const [name, bytes] of files) await volume.write(name, bytes);
    await mount.unmount();
  } finally {
    await mount.kill();
  }
}
