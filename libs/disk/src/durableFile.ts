import { lstat, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { changeFile, readError } from './fileErrors.ts';

const maxJsonBytes = 64 * 1024;

/** What a small JSON file of ours holds: an object of values yet to be checked. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Makes the names in the folder of a file durable. */
export async function syncFolderOf(filePath: string): Promise<void> {
  const folder = await open(path.dirname(filePath), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Replaces a small JSON file at once and durably: after a crash it holds the old or the new content.
 *
 * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED, DISK_FILE_MISSING
 */
export async function writeDurableJson(filePath: string, value: JsonRecord): Promise<void> {
  const fresh = `${filePath}.new`;
  await changeFile('write', filePath, async () => {
    const file = await open(fresh, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, filePath);
    await syncFolderOf(filePath);
  });
}

function parseRecord(text: string): JsonRecord {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    return {};
  }
}

/**
 * Reads what `writeDurableJson` wrote; null when there is no file of the name. A file that is no JSON object of a few KiB reads as an
 * object without fields.
 *
 * @throws {AppError} DISK_FILE_UNREADABLE
 */
export async function readDurableJson(filePath: string): Promise<JsonRecord | null> {
  const facts = await lstat(filePath).catch(() => null);
  if (facts === null) return null;
  if (!facts.isFile() || facts.size > maxJsonBytes) return {};
  const text = await readFile(filePath, 'utf8').catch((cause: unknown) => {
    throw readError('read', filePath, cause);
  });
  return parseRecord(text);
}

/**
 * Removes a file durably. Idempotent.
 *
 * @throws {AppError} DISK_IO_FAILED
 */
export async function removeDurably(filePath: string): Promise<void> {
  await changeFile('remove', filePath, async () => {
    await rm(filePath, { force: true });
    await rm(`${filePath}.new`, { force: true });
    await syncFolderOf(filePath);
  });
}
