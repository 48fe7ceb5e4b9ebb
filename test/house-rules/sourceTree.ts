import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { splitSource, type SourceViews } from './sourceText.ts';

/** One TypeScript file of the product. */
export interface SourceFile extends SourceViews {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Tests and what only tests import. */
  readonly isTest: boolean;
}

/** One breach of a house rule. */
export interface Violation {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

const skipped = new Set(['node_modules', 'dist', 'coverage', '.cache', '.turbo']);

async function walk(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) found.push(...(await walk(path)));
    if (entry.isFile() && entry.name.endsWith('.ts')) found.push(path);
  }
  return found;
}

async function readSource(root: string, absolute: string): Promise<SourceFile> {
  const text = await readFile(absolute, 'utf8');
  const path = relative(root, absolute).replaceAll(sep, '/');
  const isTest = path.startsWith('test/') || path.includes('/testing/') || path.endsWith('.test.ts');
  return { path, text, isTest, ...splitSource(text) };
}

/** All TypeScript files below apps, libs and test, in path order. */
export async function readSourceTree(root: string): Promise<readonly SourceFile[]> {
  const present = await readdir(root);
  const folders = ['apps', 'libs', 'test'].filter((folder) => present.includes(folder));
  const paths = (await Promise.all(folders.map((folder) => walk(join(root, folder))))).flat();
  return Promise.all(paths.sort().map((path) => readSource(root, path)));
}
