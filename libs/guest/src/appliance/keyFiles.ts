import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { Secret } from '@ascend/runtime';
import type { VolumeKey } from './unlock.ts';

const maxKeyBytes = 8 * 1024;
const uuidPattern = '[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}';
const keyFileName = new RegExp(`^(${uuidPattern})\\.key$`, 'i');
const keyOption = new RegExp(`^(${uuidPattern})=(.+)$`, 'i');

function unusable(file: string, problem: string, cause?: unknown): AppError {
  return new AppError({ code: 'GUEST_KEY_UNUSABLE', message: `read key file ${file}: ${problem}`, cause });
}

/** What others could read is no secret any more. */
function checkMode(file: string, mode: number): void {
  const shown = (mode & 0o777).toString(8);
  if ((mode & 0o077) !== 0) throw unusable(file, `its mode is ${shown}: others than its owner may use it`);
}

/**
 * Reads a key: one line, its end left out.
 *
 * @throws {AppError} GUEST_KEY_UNUSABLE - not there, open to others than its owner, larger than 8 KiB, or not one line of text
 */
export async function readKeyFile(file: string): Promise<Secret> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw unusable(file, 'it is not there or not readable', cause);
  });
  try {
    const facts = await handle.stat();
    if (!facts.isFile() || facts.size > maxKeyBytes) throw unusable(file, 'it is no file of at most 8 KiB');
    checkMode(file, facts.mode);
    const text = await handle.readFile('utf8');
    const key = text.replace(/\r?\n$/, '');
    if (key === '' || /[\n\0\uFFFD]/.test(key)) throw unusable(file, 'it does not hold one line of text');
    return new Secret(key);
  } finally {
    await handle.close();
  }
}

/**
 * A key as it is given to a command: `FILE`, tried on every volume, or `UUID=FILE`.
 *
 * @throws {AppError} GUEST_KEY_UNUSABLE
 */
export async function readKeyOption(text: string): Promise<VolumeKey> {
  const [, uuid, file] = keyOption.exec(text) ?? [];
  return uuid === undefined || file === undefined
    ? { volume: null, key: await readKeyFile(path.resolve(text)) }
    : { volume: uuid.toLowerCase(), key: await readKeyFile(path.resolve(file)) };
}

/**
 * The keys of a folder: one file `<UUID of the LUKS header>.key` per volume. A file is read, and its mode checked, when a disk with that
 * volume is opened.
 *
 * @throws {AppError} GUEST_KEY_UNUSABLE - the folder is not there, or open to others than its owner
 */
export async function keysOfFolder(folder: string): Promise<readonly VolumeKey[]> {
  const facts = await stat(folder).catch((cause: unknown) => {
    throw unusable(folder, 'the folder is not there', cause);
  });
  if (!facts.isDirectory()) throw unusable(folder, 'it is no folder');
  checkMode(folder, facts.mode);
  const names = await readdir(folder).catch((cause: unknown) => {
    throw unusable(folder, 'the folder is not readable', cause);
  });
  return names.flatMap((name) => {
    const uuid = keyFileName.exec(name)?.[1]?.toLowerCase();
    return uuid === undefined ? [] : [{ volume: uuid, key: () => readKeyFile(path.join(folder, name)) }];
  });
}
