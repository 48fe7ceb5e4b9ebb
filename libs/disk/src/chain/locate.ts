import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { readError } from '../fileErrors.ts';

/** The root folder of a repository: as it was given, and with links resolved. */
export interface RepositoryRoot {
  readonly given: string;
  readonly real: string;
}

/**
 * Resolves the root folder of a repository once.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE; DISK_FILE_NOT_REGULAR - it is no folder
 */
export async function openRoot(rootPath: string): Promise<RepositoryRoot> {
  const given = path.resolve(rootPath);
  try {
    const real = await realpath(given);
    if ((await stat(real)).isDirectory()) return { given, real };
  } catch (cause) {
    throw readError('open repository', given, cause);
  }
  throw new AppError({
    code: 'DISK_FILE_NOT_REGULAR',
    message: `open repository ${given}: this is no folder`,
    details: { path: given },
  });
}

/** True when `absPath` is the folder itself or lies in it; compares names only. */
export function isInside(folder: string, absPath: string): boolean {
  const relative = path.relative(folder, absPath);
  return (
    relative === '' ||
    (!relative.startsWith(`..${path.sep}`) && relative !== '..' && !path.isAbsolute(relative))
  );
}

/** The name of a file inside the root, as it stands in facts and messages. */
export function relativeName(root: RepositoryRoot, absPath: string): string {
  return path.relative(root.real, absPath);
}

/**
 * Where a recorded name may be found, best first: where it says, then the longest ends of the recorded path below the
 * root, then beside the file that names it. Pure; the caller checks each candidate.
 */
export function candidatePaths(root: RepositoryRoot, recorded: string, namedBy: string | null): string[] {
  const base = path.basename(recorded);
  const beside = namedBy === null ? [] : [path.join(path.dirname(namedBy), base)];
  const normal = path.normalize(recorded);
  const direct = path.isAbsolute(recorded)
    ? [root.given, root.real]
        .filter((folder) => isInside(folder, normal))
        .map((folder) => path.join(root.real, path.relative(folder, normal)))
    : [path.join(namedBy === null ? root.real : path.dirname(namedBy), recorded)];
  const parts = normal.split(path.sep).filter((part) => part !== '' && part !== '..');
  const ends = parts.map((_, index) => path.join(root.real, ...parts.slice(index)));
  // The bare name directly in the root comes last: beside the overlay it is much more likely the right file.
  return [...new Set([...direct, ...ends.slice(0, -1), ...beside, ...ends.slice(-1)])];
}

async function exists(absPath: string): Promise<boolean> {
  try {
    await stat(absPath);
    return true;
  } catch {
    return false;
  }
}

function outsideError(root: RepositoryRoot, recorded: string, namedBy: string | null): AppError {
  const by = namedBy === null ? '' : ` (named by ${relativeName(root, namedBy)})`;
  return new AppError({
    code: 'DISK_PATH_OUTSIDE_REPOSITORY',
    message: `find ${recorded}${by}: it leads outside the repository ${root.given}`,
    details: { recordedPath: recorded, rootPath: root.given },
  });
}

/**
 * Finds the file that a catalogue row or a backing name means, with all links resolved; null when there is none.
 * `namedBy` is the real path of the image that holds the name, null for the top of a chain.
 *
 * @throws {AppError} DISK_PATH_OUTSIDE_REPOSITORY - the file, or what a link in its path points at, is not below the root
 */
export async function locate(
  root: RepositoryRoot,
  recorded: string,
  namedBy: string | null,
): Promise<string | null> {
  let leftRoot = false;
  for (const candidate of candidatePaths(root, recorded, namedBy)) {
    if (!isInside(root.real, candidate)) {
      leftRoot = true;
      continue;
    }
    let real: string;
    try {
      real = await realpath(candidate);
    } catch {
      continue;
    }
    if (!isInside(root.real, real)) throw outsideError(root, recorded, namedBy);
    // The folder itself is no file, whatever names it.
    if (real === root.real) continue;
    return real;
  }
  if (leftRoot || (path.isAbsolute(recorded) && (await exists(recorded)))) {
    throw outsideError(root, recorded, namedBy);
  }
  return null;
}
