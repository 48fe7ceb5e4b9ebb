import { drizzle } from 'drizzle-orm/mysql2';
import { createPool } from 'mysql2';
import type { Pool } from 'mysql2/promise';
import { isRetryable, toStoreError } from './databaseError.ts';
import { runTransaction, type Session } from './session.ts';

export type { Session } from './session.ts';

/** A pool of connections to one database. */
export interface Database extends Session {
  readonly pool: Pool;
  /** Ends all connections; queries after it fail with STORE_UNAVAILABLE. Idempotent. */
  close(): Promise<void>;
}

/** Where the database is and how much of it one process may use. */
export interface DatabaseParams {
  /** `mysql://user:password@host:port/name`, or `mysql://user@localhost/name?socketPath=/run/…`. Danger: holds the password. */
  readonly url: string;
  /** Default 10. Loops that must never wait for a slow listing take a pool of their own (4 is enough). */
  readonly connectionLimit?: number;
}

// Times are compared on the server and columns of type TIMESTAMP are shifted by the session's zone, so every session
// runs in UTC; strict mode turns a value that does not fit into an error instead of a cut.
const sessionSettings =
  "SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'";

/** Opens a pool; connections are made when they are needed. */
export function createDatabase(params: DatabaseParams): Database {
  const callbackPool = createPool({
    uri: params.url,
    connectionLimit: params.connectionLimit ?? 10,
    connectTimeout: 10_000,
    enableKeepAlive: true,
    timezone: 'Z',
    charset: 'utf8mb4',
    supportBigNumbers: true,
    // One way on every server: JSON always arrives as text and is parsed by the column type.
    jsonStrings: true,
  });
  callbackPool.on('connection', (connection) => {
    // Queued before the first query of this connection; a failure shows in that query.
    connection.query(sessionSettings, () => undefined);
  });
  const pool = callbackPool.promise();
  let closed: Promise<void> | undefined;
  return {
    orm: drizzle({ client: pool }),
    inTransaction: false,
    pool,
    close: async () => {
      closed ??= pool.end();
      await closed;
    },
  };
}

/**
 * Runs `work` in one transaction (READ COMMITTED) and commits; inside a transaction it simply runs. A deadlock or lock
 * wait that the server broke is tried again, so `work` must do nothing but queries. Never hold it open across a
 * network call.
 *
 * @throws {AppError} STORE_BUSY - still in each other's way after 6 tries
 * @throws {AppError} STORE_UNAVAILABLE - no connection
 */
export async function transaction<T>(session: Session, work: (tx: Session) => Promise<T>): Promise<T> {
  try {
    return await runTransaction(session, work);
  } catch (error) {
    throw toStoreError(error, 'run transaction');
  }
}

/** Gives a query function its name in errors and lets only AppErrors out of it. */
export function query<A extends unknown[], R>(
  operation: string,
  run: (session: Session, ...args: A) => Promise<R>,
): (session: Session, ...args: A) => Promise<R> {
  return async (session, ...args) => {
    try {
      return await run(session, ...args);
    } catch (error) {
      // Inside a transaction the server's error number must reach `transaction`, which decides about another try.
      throw session.inTransaction && isRetryable(error) ? error : toStoreError(error, operation);
    }
  };
}
