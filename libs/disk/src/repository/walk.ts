import type { Dirent } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { isInside, type RepositoryRoot } from '../chain/locate.ts';

const maxDepth = 6;
const maxFiles = 200_000;

/** One file that was left out of a scan, and why. */
export interface SkippedFile {
  readonly relPath: string;
  readonly code: string;
  readonly reason: string;
}

/** All regular files below the root, sorted, with what was left out on the way. */
export interface WalkedFiles {
  readonly files: readonly string[];
  readonly skipped: readonly SkippedFile[];
}

/** @throws {AppError} OPERATION_CANCELLED - whatever reason the signal carries */
export function assertNotCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new AppError({ code: 'OPERATION_CANCELLED', message: 'scan repository: cancelled' });
}

/** Hidden entries and unfinished files are nobody's backup. */
function isIgnored(name: string): boolean {
  return name.startsWith('.') || name === 'lost+found' || /\.(partial|tmp|part|lock)$/i.test(name);
}

async function skippedLink(root: RepositoryRoot, relPath: string): Promise<SkippedFile | null> {
  const target = await realpath(path.join(root.real, relPath)).catch(() => null);
  // A link inside the repository is another name of a file that is found at its own place.
  if (target !== null && isInside(root.real, target)) return null;
  const reason =
    target === null ? 'a link that points at nothing' : 'a link that leads outside the repository';
  return { relPath, code: 'DISK_PATH_OUTSIDE_REPOSITORY', reason };
}

/** Lists the files of a repository. Links are not followed; unreadable folders are reported, not fatal. */
export async function walkRepository(root: RepositoryRoot, signal?: AbortSignal): Promise<WalkedFiles> {
  const files: string[] = [];
  const skipped: SkippedFile[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    assertNotCancelled(signal);
    let entries: Dirent[];
    try {
      entries = await readdir(path.join(root.real, folder), { withFileTypes: true });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : 'unreadable';
      skipped.push({ relPath: folder, code: 'DISK_FILE_UNREADABLE', reason });
      return;
    }
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const relPath = path.join(folder, entry.name);
      if (isIgnored(entry.name)) continue;
      if (entry.isSymbolicLink()) {
        const link = await skippedLink(root, relPath);
        if (link !== null) skipped.push(link);
      } else if (entry.isDirectory() && depth < maxDepth) await visit(relPath, depth + 1);
      else if (entry.isDirectory()) {
        skipped.push({ relPath, code: 'CATALOG_SCAN_LIMIT', reason: `deeper than ${maxDepth} folders` });
      } else if (entry.isFile() && files.length < maxFiles) files.push(relPath);
      else if (entry.isFile()) {
        skipped.push({ relPath, code: 'CATALOG_SCAN_LIMIT', reason: `more than ${maxFiles} files` });
        return;
      }
    }
  };
  await visit('', 0);
  return { files, skipped };
}
