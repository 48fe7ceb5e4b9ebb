import { opendir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { AppError } from '@ascend/errors';
import { parseInf, type InfFile } from './infFile.ts';

/** One INF of a configured driver folder. */
export interface FolderInf {
  /** Absolute path on this machine. */
  readonly path: string;
  /** Relative to the folder: `viostor/2k19/amd64/viostor.inf`. */
  readonly relPath: string;
  readonly inf: InfFile;
  /** Files beside it, by lower case name, with their names as spelled. */
  readonly siblings: ReadonlyMap<string, string>;
}

/** What a configured driver folder holds. */
export interface DriverFolder {
  readonly infs: readonly FolderInf[];
  /** Files that are no packages of ours to use, with the reason: shown, never fatal. */
  readonly remarks: readonly string[];
}

const maxDepth = 8;
const maxEntries = 50_000;

interface Found {
  readonly infs: string[];
  readonly siblings: Map<string, Map<string, string>>;
  entries: number;
}

async function scan(folder: string, depth: number, found: Found): Promise<void> {
  const names = new Map<string, string>();
  found.siblings.set(folder, names);
  for await (const entry of await opendir(folder)) {
    found.entries += 1;
    if (found.entries > maxEntries) {
      throw new AppError({
        code: 'GUEST_DRIVER_PACKAGE_INVALID',
        message: `read driver folder ${folder}: more than ${maxEntries} files`,
      });
    }
    // Links are left out: a driver folder has none, and one could lead anywhere.
    if (entry.isDirectory() && depth < maxDepth) await scan(join(folder, entry.name), depth + 1, found);
    if (!entry.isFile()) continue;
    names.set(entry.name.toLowerCase(), entry.name);
    if (/\.inf$/i.test(entry.name)) found.infs.push(join(folder, entry.name));
  }
}

/**
 * Reads all INF files below a folder of driver packages (an unpacked virtio-win image, a vendor's folder). Read-only.
 * An INF that cannot be parsed is a remark.
 *
 * @throws {AppError} GUEST_DRIVER_PACKAGE_INVALID - not there, no folder, or too large
 */
export async function readDriverFolder(folder: string): Promise<DriverFolder> {
  const own = await stat(folder).catch(() => null);
  if (own?.isDirectory() !== true) {
    throw new AppError({
      code: 'GUEST_DRIVER_PACKAGE_INVALID',
      message: `read driver folder ${folder}: it is not there or no folder`,
    });
  }
  const found: Found = { infs: [], siblings: new Map(), entries: 0 };
  await scan(folder, 0, found);
  const infs: FolderInf[] = [];
  const remarks: string[] = [];
  for (const path of found.infs.toSorted()) {
    const relPath = relative(folder, path);
    try {
      const inf = parseInf(await readFile(path), basename(path));
      infs.push({ path, relPath, inf, siblings: found.siblings.get(dirname(path)) ?? new Map() });
    } catch (cause) {
      if (!(cause instanceof AppError)) throw cause;
      remarks.push(`${relPath}: ${cause.message}`);
    }
  }
  return { infs, remarks };
}
