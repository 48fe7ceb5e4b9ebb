import { basename } from 'node:path';
import { fitsFileName } from '@ascend/domain';

/** Best first: the newest version by its file name, numbers compared as numbers. */
export function bestFirst<File extends { readonly relPath: string }>(
  files: readonly File[],
): readonly File[] {
  return files.toSorted((left, right) =>
    basename(right.relPath).localeCompare(basename(left.relPath), 'en', { numeric: true }),
  );
}

/** The newest file whose name fits the pattern; null = none. */
export function choosePackage<File extends { readonly relPath: string }>(
  files: readonly File[],
  pattern: string,
): File | null {
  return bestFirst(files.filter(({ relPath }) => fitsFileName(pattern, relPath)))[0] ?? null;
}
