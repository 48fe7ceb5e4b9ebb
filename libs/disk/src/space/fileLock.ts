import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A lock that the kernel gives back when this process ends in any way, also by kill -9. */
export interface FileLock {
  /** Gives the lock back and removes its file. Idempotent. */
  release(): void;
}

/** Removes a lock's file and what SQLite may have put beside it. */
export function removeLockFile(lockPath: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${lockPath}${suffix}`, { force: true });
}

/**
 * Takes the lock of a file, which is made when missing; null when someone holds it, also in this process. Node has no file locks of its
 * own: SQLite's lock of an empty database is the one it can take, and it works between containers and threads, where process ids do not.
 *
 * @throws Error of SQLite - the folder does not let files be made, or has no locks
 */
export function tryFileLock(lockPath: string): FileLock | null {
  const database = new DatabaseSync(lockPath);
  try {
    database.exec('PRAGMA journal_mode = MEMORY');
    database.exec('BEGIN IMMEDIATE');
  } catch (cause) {
    database.close();
    // 5 is SQLITE_BUSY.
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === 5) return null;
    throw cause;
  }
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      // Removed while held: nobody can take it between the two calls and then lose its file.
      removeLockFile(lockPath);
      database.close();
    },
  };
}
