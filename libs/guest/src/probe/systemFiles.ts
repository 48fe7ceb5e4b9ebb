import type { GuestFacts } from '@ascend/domain';
import { readText, type GuestFiles } from '../guestFiles.ts';

/** Which program of the guest makes its initramfs images. */
export async function readInitramfsTool(files: GuestFiles): Promise<GuestFacts['initramfsTool']> {
  const has = async (path: string): Promise<boolean> => (await files.stat(path))?.kind === 'file';
  if (await has('/usr/sbin/update-initramfs')) return 'initramfs-tools';
  return (await has('/usr/bin/dracut')) || (await has('/usr/sbin/dracut')) ? 'dracut' : 'none';
}

/** The guest's own name; null when it has none that could be one. */
export async function readHostname(files: GuestFiles): Promise<string | null> {
  const text = ((await readText(files, '/etc/hostname')) ?? '').trim();
  return /^[\w.-]{1,253}$/.test(text) ? text : null;
}
