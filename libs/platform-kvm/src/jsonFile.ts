import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '@ascend/errors';
import { errnoOf } from './errors.ts';

/** Makes a folder's entries durable: a rename is only safe from power loss after this. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes a new file and makes its bytes durable. Not atomic: for a path that nobody reads yet. */
export async function writeJsonDurably(path: string, value: unknown): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Replaces a file as a whole: a reader sees the old or the new one, also after a crash. */
export async function replaceJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.new`;
  await writeJsonDurably(temporary, value);
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** The parsed file, or undefined when there is none. @throws {AppError} TARGET_RECORD_CORRUPT - not JSON */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError({ code: 'TARGET_RECORD_CORRUPT', message: `read ${path}: it is not JSON`, cause });
  }
}
