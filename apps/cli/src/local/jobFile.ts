import { DatabaseSync } from 'node:sqlite';
import type { RestoreJob } from '@ascend/domain';

/** What `ascend local` keeps of one restore in its work folder: the job and its history, on disk before anything follows from it. */
export interface JobFile {
  load(): RestoreJob | null;
  /** Stores the job and appends lines of history; durable when it returns. */
  save(job: RestoreJob, events: readonly { readonly event: string; readonly data: unknown }[]): void;
  close(): void;
}

/** Opens or makes the file. One process at a time: SQLite's exclusive lock is held until `close`. */
export function openJobFile(path: string): JobFile {
  const database = new DatabaseSync(path);
  // FULL: a crash of the machine must not lose what the target already knows.
  database.exec(`
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = DELETE;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS history (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, event TEXT NOT NULL, data TEXT NOT NULL);
  `);
  const read = database.prepare('SELECT body FROM job WHERE id = 1');
  const write = database.prepare('INSERT OR REPLACE INTO job (id, body) VALUES (1, ?)');
  const append = database.prepare('INSERT INTO history (at_ms, event, data) VALUES (?, ?, ?)');
  return {
    load: () => {
      const body = read.get()?.['body'];
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this file was written by `save`, nobody else
      return typeof body === 'string' ? (JSON.parse(body) as RestoreJob) : null;
    },
    save: (job, events) => {
      database.exec('BEGIN IMMEDIATE');
      write.run(JSON.stringify(job));
      for (const one of events) append.run(Date.now(), one.event, JSON.stringify(one.data));
      database.exec('COMMIT');
    },
    close: () => database.close(),
  };
}
