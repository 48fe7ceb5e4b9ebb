import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A source tree in a temporary folder, gone when disposed. */
export interface PlantedTree extends AsyncDisposable {
  readonly root: string;
}

/** Writes the files (path → text) into a new temporary folder. */
export async function plantTree(files: Readonly<Record<string, string>>): Promise<PlantedTree> {
  const root = await mkdtemp(join(tmpdir(), 'ascend-rules-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

/** The root of this repository. */
export const repositoryRoot = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
