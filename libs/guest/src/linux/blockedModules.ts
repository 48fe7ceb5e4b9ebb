import type { BlockedModuleFacts } from '@ascend/domain';
import { listFiles, readText, type GuestFiles } from '../guestFiles.ts';
import { moduleName } from '../initramfs/initramfs.ts';

const folders = ['/etc/modprobe.d', '/usr/lib/modprobe.d', '/lib/modprobe.d'];
const maxBlocked = 2000;

/** Modules that the text of a modprobe.d file keeps from loading: `blacklist x`, `install x /bin/true`. */
export function parseBlockedModules(
  text: string,
): readonly { readonly module: string; readonly line: string }[] {
  return text.split('\n').flatMap((raw) => {
    const line = raw.trim();
    const name = /^(?:blacklist\s+([\w-]+)|install\s+([\w-]+)\s+(?:\/\S+\/)?(?:true|false|:))(?:\s|$)/.exec(
      line,
    );
    const module = name?.[1] ?? name?.[2];
    return module === undefined ? [] : [{ module: moduleName(module), line }];
  });
}

/** Reads which modules the guest keeps from loading; at most 2000 lines. */
export async function readBlockedModules(files: GuestFiles): Promise<readonly BlockedModuleFacts[]> {
  const found: BlockedModuleFacts[] = [];
  const seen = new Set<string>();
  for (const folder of folders) {
    for (const name of await listFiles(files, folder, '.conf')) {
      // With a merged /usr both library folders are the same one; a name in a former folder hides the latter.
      if (seen.has(name)) continue;
      seen.add(name);
      const path = `${folder}/${name}`;
      const text = (await readText(files, path)) ?? '';
      found.push(
        ...parseBlockedModules(text).map(({ module, line }) => ({ path: path.slice(1), module, line })),
      );
    }
  }
  return found.slice(0, maxBlocked);
}
