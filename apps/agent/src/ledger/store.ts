import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { AppError } from '@ascend/errors';
import { ledgerSchema } from './schema.ts';

/** One row of a result. */
type Row = Record<string, unknown>;

/** The database with the two things every statement needs: coded errors and transactions. */
export interface Store {
  all(sql: string, ...values: SQLInputValue[]): Row[];
  run(sql: string, ...values: SQLInputValue[]): void;
  transaction(work: () => void): void;
  close(): void;
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (/database is locked/.test(reason)) {
      throw new AppError({
        code: 'AGENT_LEDGER_IN_USE',
        message: 'open ledger: another process holds it',
        cause,
      });
    }
    throw new AppError({ code: 'AGENT_LEDGER_FAILED', message: `write ledger: ${reason}`, cause });
  }
}

/**
 * Opens or makes the database; it belongs to this process until it ends.
 *
 * @throws {AppError} AGENT_LEDGER_IN_USE, AGENT_LEDGER_FAILED; also from every method
 */
export function openStore(path: string): Store {
  return guarded(() => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const db = new DatabaseSync(path, { timeout: 2_000 });
    // Exclusive: two agents on one folder would both believe they own its operations. The lock ends with the process.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    db.exec(`BEGIN IMMEDIATE; ${ledgerSchema} COMMIT;`);
    return {
      all: (sql, ...values) => guarded(() => db.prepare(sql).all(...values)),
      run: (sql, ...values) => guarded(() => void db.prepare(sql).run(...values)),
      transaction: (work) => {
        guarded(() => db.exec('BEGIN IMMEDIATE'));
        try {
          work();
          guarded(() => db.exec('COMMIT'));
        } catch (error) {
          if (db.isTransaction) db.exec('ROLLBACK');
          throw error;
        }
      },
      close: () => db.close(),
    };
  });
}
