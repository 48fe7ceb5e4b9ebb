import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { newId } from '@ascend/runtime';
import { changeFile, readError } from '../fileErrors.ts';
import { tryFileLock, type FileLock } from './fileLock.ts';
import { amountText, livingRecords, lockPathOf, recordName, recordText } from './spaceRecord.ts';

/** Space set aside for one run, known to every other run that asks. */
export interface SpaceReservation {
  /** `bytes` of the reservation are in the file system now: only the rest stays reserved. Values may only grow. */
  written(bytes: number): void;
  /** Gives the rest back. Idempotent. */
  release(): void;
}

/** What to reserve. */
export interface ReserveSpaceParams {
  /** An existing folder on the file system that will be written to. */
  readonly folder: string;
  readonly bytes: number;
  /** Absolute path of what will be written: no two runs may have the same. */
  readonly target: string;
}

interface Held {
  readonly name: string;
  readonly folder: string;
  readonly target: string;
  readonly device: number;
  remainingBytes: number;
}

// Runs in this process by file system, whatever their folder. Runs of other processes are seen when they write to the same folder.
const heldHere = new Set<Held>();
const rewriteEveryBytes = 64 * 1024 * 1024;

/** Free bytes of a file system, for ordinary users. @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE */
export async function freeSpace(folder: string): Promise<number> {
  const facts = await statfs(folder).catch((cause: unknown) => {
    throw readError('ask free space of', folder, cause);
  });
  return facts.bavail * facts.bsize;
}

async function checkSpace(own: Held, bytes: number): Promise<void> {
  const free = await freeSpace(own.folder);
  // In the order they came: the later of two that ask at once sees the earlier one, so that one of them is served.
  const all = [...heldHere];
  const here = all.slice(0, all.indexOf(own));
  const elsewhere = await livingRecords(own.folder, new Set(all.map((held) => held.name)));
  const rival = [...here, ...elsewhere].find((held) => held.target === own.target);
  if (rival !== undefined) {
    throw new AppError({
      code: 'DISK_TARGET_BUSY',
      message: `reserve space for ${own.target}: another run is writing it`,
      details: { target: own.target },
    });
  }
  const others = [...here.filter((held) => held.device === own.device), ...elsewhere];
  const reserved = others.reduce((sum, held) => sum + held.remainingBytes, 0);
  if (bytes <= free - reserved) return;
  throw new AppError({
    code: 'DISK_SPACE_EXHAUSTED',
    message: `reserve ${bytes} bytes in ${own.folder}: ${free} are free, ${reserved} of them reserved by ${others.length} other runs`,
    details: {
      folder: own.folder,
      neededBytes: bytes,
      freeBytes: free,
      reservedBytes: reserved,
      missingBytes: bytes - (free - reserved),
    },
  });
}

/** Announces a reservation to other processes: the lock first, since a record without a held lock is taken for abandoned. */
async function announce(held: Held): Promise<{ readonly file: number; readonly lock: FileLock }> {
  const recordPath = path.join(held.folder, held.name);
  const lock = await changeFile('lock', lockPathOf(recordPath), async () => {
    await Promise.resolve();
    return tryFileLock(lockPathOf(recordPath));
  });
  if (lock === null)
    throw new AppError({ code: 'INTERNAL_BUG', message: `lock ${recordPath}: the name is not new` });
  try {
    return await changeFile('write', recordPath, async () => {
      await Promise.resolve();
      const file = openSync(recordPath, 'wx', 0o600);
      writeSync(file, recordText(held.remainingBytes, held.target), 0);
      return { file, lock };
    });
  } catch (cause) {
    rmSync(recordPath, { force: true });
    lock.release();
    throw cause;
  }
}

/**
 * Sets space aside before anything is created: free space (of ordinary users) less what other runs have still to write. Runs in this
 * process count by file system, runs of other processes by folder, through small files there that are worth nothing once their process
 * has died. Of two processes that ask at the same moment for more than there is both may be refused; they are never both accepted.
 *
 * @throws {AppError} DISK_SPACE_EXHAUSTED - details tell needed, free, reserved and missing bytes; DISK_TARGET_BUSY, DISK_FILE_MISSING -
 * there is no such folder; DISK_FILE_UNREADABLE, DISK_IO_FAILED
 */
export async function reserveSpace(params: ReserveSpaceParams): Promise<SpaceReservation> {
  const facts = await stat(params.folder).catch((cause: unknown) => {
    throw readError('reserve space in', params.folder, cause);
  });
  const held: Held = {
    name: recordName(newId()),
    folder: params.folder,
    target: params.target,
    device: facts.dev,
    remainingBytes: params.bytes,
  };
  const { file, lock } = await announce(held);
  heldHere.add(held);
  let isOpen = true;
  const release = (): void => {
    if (!isOpen) return;
    isOpen = false;
    heldHere.delete(held);
    rmSync(path.join(held.folder, held.name), { force: true });
    closeSync(file);
    lock.release();
  };
  let told = params.bytes;
  try {
    await checkSpace(held, params.bytes);
  } catch (cause) {
    release();
    throw cause;
  }
  return {
    written: (bytes) => {
      held.remainingBytes = Math.max(0, Math.min(held.remainingBytes, params.bytes - bytes));
      if (!isOpen || told - held.remainingBytes < rewriteEveryBytes) return;
      told = held.remainingBytes;
      writeSync(file, amountText(told), 0);
    },
    release,
  };
}
