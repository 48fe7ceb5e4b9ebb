import type { PersistentNameFacts } from '@ascend/domain';
import { readText, type GuestFiles } from '../guestFiles.ts';
import { parsePersistentNetRules } from './networkd.ts';

const rulePaths = [
  '/etc/udev/rules.d/70-persistent-net.rules',
  // SUSE 10 and Debian 4.
  '/etc/udev/rules.d/30-net_persistent_names.rules',
  '/etc/udev/rules.d/z25_persistent-net.rules',
];

/** Reads the names that udev of old systems recorded for network cards. */
export async function readPersistentNames(files: GuestFiles): Promise<readonly PersistentNameFacts[]> {
  const found: PersistentNameFacts[] = [];
  for (const path of rulePaths) {
    const text = await readText(files, path);
    if (text === null) continue;
    found.push(...parsePersistentNetRules(text).map(({ mac, name }) => ({ path: path.slice(1), mac, name })));
  }
  return found;
}
