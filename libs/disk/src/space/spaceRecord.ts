import { lstat, open, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { removeLockFile, tryFileLock } from './fileLock.ts';

/** What another run has set aside in a folder. */
export interface SpaceRecord {
  readonly name: string;
  /** Bytes it has still to write. */
  readonly remainingBytes: number;
  /** Absolute path of what it writes. */
  readonly target: string;
}

const prefix = '.ascend-space-';
const suffix = '.txt';
const maxRecordBytes = 16 * 1024;
const digits = 20;

/** File name of a record. */
export function recordName(id: string): string {
  return `${prefix}${id}${suffix}`;
}

/** The lock that tells whether the record's owner lives. */
export function lockPathOf(recordPath: string): string {
  return `${recordPath}.lock`;
}

/** The amount as it stands at the start of a record: fixed width, so that one small write replaces it. */
export function amountText(bytes: number): string {
  return String(bytes).padStart(digits, '0');
}

/** Text of a whole record. */
export function recordText(remainingBytes: number, target: string): string {
  return `${amountText(remainingBytes)}\n${JSON.stringify(target)}\n`;
}

/** Reads a record; null for what was not written by `recordText`. Pure. */
export function parseRecord(text: string): { remainingBytes: number; target: string } | null {
  const match = /^(\d{20})\n(.*)\n$/s.exec(text);
  const remainingBytes = Number(match?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(remainingBytes)) return null;
  try {
    const target: unknown = JSON.parse(match?.[2] ?? '');
    return typeof target === 'string' ? { remainingBytes, target } : null;
  } catch {
    return null;
  }
}

async function readRecord(recordPath: string): Promise<{ remainingBytes: number; target: string } | null> {
  // Someone else may have put anything under this name: only a small regular file is opened.
  const facts = await lstat(recordPath).catch(() => null);
  if (facts === null || !facts.isFile() || facts.size > maxRecordBytes) return null;
  const file = await open(recordPath, 'r').catch(() => null);
  if (file === null) return null;
  try {
    return parseRecord(await file.readFile('utf8'));
  } finally {
    await file.close();
  }
}

/** True when nobody holds the lock of a record: its owner has died. */
function isAbandoned(recordPath: string): boolean {
  const lockPath = lockPathOf(recordPath);
  if (!existsSync(lockPath)) return true;
  try {
    const lock = tryFileLock(lockPath);
    lock?.release();
    return lock !== null;
  } catch {
    // A lock that cannot be asked counts as held: too much reserved is the safe side.
    return false;
  }
}

/**
 * Records of living runs in a folder, except the named ones; those of runs that died are removed on the way. An unreadable or foreign
 * file counts as nothing.
 */
export async function livingRecords(folder: string, own: ReadonlySet<string>): Promise<SpaceRecord[]> {
  const names = await readdir(folder).catch(() => []);
  const found: SpaceRecord[] = [];
  for (const name of names) {
    if (!name.startsWith(prefix) || !name.endsWith(suffix) || own.has(name)) continue;
    const recordPath = path.join(folder, name);
    const record = await readRecord(recordPath);
    if (record === null) continue;
    if (isAbandoned(recordPath)) {
      removeLockFile(lockPathOf(recordPath));
      await rm(recordPath, { force: true }).catch(() => undefined);
    } else found.push({ name, ...record });
  }
  return found;
}
