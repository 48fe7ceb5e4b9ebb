import { basename, extname, join } from 'node:path';

/**
 * File names in a folder for several chains: the name of each top file with the extension of the format. Chains of one name get a number,
 * in the order given, so that the same command finds its files again. Names that differ in case only count as one: not every file system
 * tells them apart.
 */
export function exportNames(folder: string, chains: readonly string[], extension: string): string[] {
  const taken = new Set<string>();
  return chains.map((chain) => {
    const stem = basename(chain, extname(chain)) || 'disk';
    let name = `${stem}${extension}`;
    for (let number = 2; taken.has(name.toLowerCase()); number += 1) name = `${stem}-${number}${extension}`;
    taken.add(name.toLowerCase());
    return join(folder, name);
  });
}
