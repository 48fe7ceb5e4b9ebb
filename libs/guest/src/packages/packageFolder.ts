import { opendir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { AppError } from '@ascend/errors';
import type { LinuxPackage } from './linuxPackage.ts';

/** One file of a folder with agents' packages. */
export interface PackageFile {
  /** Absolute path on this machine. */
  readonly path: string;
  /** Relative to the folder. */
  readonly relPath: string;
  readonly sizeBytes: number;
  /** What a .deb or .rpm says about itself; null = it could not be read, absent = nobody looked. */
  readonly linux?: LinuxPackage | null;
}

/** A configured folder with agents' packages. Read-only. */
export interface PackageFolder {
  readonly folder: string;
  /** By relative path; links, empty files and files of more than 256 MiB are left out. */
  readonly files: readonly PackageFile[];
}

/** A package is read into memory when it is put into the guest; the largest known one (a hypervisor's tools) has some 150 MiB. */
const maxPackageBytes = 256 * 1024 * 1024;
const maxDepth = 4;
const maxFiles = 1000;

function invalid(folder: string, problem: string): AppError {
  return new AppError({
    code: 'GUEST_AGENT_PACKAGE_INVALID',
    message: `read folder of agents' packages ${folder}: ${problem}`,
  });
}

async function scan(root: string, folder: string, depth: number, found: PackageFile[]): Promise<void> {
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && depth < maxDepth) await scan(root, path, depth + 1, found);
    if (!entry.isFile()) continue;
    const { size } = await stat(path);
    if (size === 0 || size > maxPackageBytes) continue;
    found.push({ path, relPath: relative(root, path), sizeBytes: size });
    if (found.length > maxFiles) throw invalid(root, `it holds more than ${maxFiles} files`);
  }
}

/**
 * Lists the packages below a folder.
 *
 * @throws {AppError} GUEST_AGENT_PACKAGE_INVALID - not there, no folder, or too many files
 */
export async function readPackageFolder(folder: string): Promise<PackageFolder> {
  const own = await stat(folder).catch(() => null);
  if (own?.isDirectory() !== true) throw invalid(folder, 'it is not there or no folder');
  const files: PackageFile[] = [];
  await scan(folder, folder, 0, files);
  return { folder, files: files.toSorted((a, b) => (a.relPath < b.relPath ? -1 : 1)) };
}
