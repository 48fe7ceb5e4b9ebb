import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The one kernel release in an unpacked Debian tree. */
export async function kernelRelease(treeDir: string): Promise<string> {
  const names = await readdir(join(treeDir, 'boot'));
  const release = names.find((name) => name.startsWith('vmlinuz-'))?.slice('vmlinuz-'.length);
  if (release === undefined) throw new Error(`no kernel in ${treeDir}/boot`);
  return release;
}

/** Boot loader images in an unpacked Debian tree. */
export function loaderPaths(treeDir: string): { readonly bootPath: string; readonly corePath: string } {
  const folder = join(treeDir, 'boot/grub/i386-pc');
  return { bootPath: join(folder, 'boot.img'), corePath: join(folder, 'core.img') };
}
