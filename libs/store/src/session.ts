import { setTimeout as delay } from 'node:timers/promises';
import type { MySqlDatabase } from 'drizzle-orm/mysql-core';
import type { MySql2PreparedQueryHKT, MySql2QueryResultHKT } from 'drizzle-orm/mysql2';
import { isConnectionLost, isRetryable } from './databaseError.ts';

/** The query builder that pool and transaction share. */
type Orm = MySqlDatabase<MySql2QueryResultHKT, MySql2PreparedQueryHKT>;

/** Where queries run: the pool (each statement by itself) or one open transaction. */
export interface Session {
  readonly orm: Orm;
  readonly inTransaction: boolean;
}

const maxTries = 6;

/** As `transaction`, but lets the driver's errors out: `query` names them after the operation they belong to. */
export async function runTransaction<T>(session: Session, work: (tx: Session) => Promise<T>): Promise<T> {
  if (session.inTransaction) return work(session);
  for (let tries = 1; ; tries += 1) {
    let hasBegun = false;
    const begin = (orm: Orm): Promise<T> => {
      hasBegun = true;
      return work({ orm, inTransaction: true });
    };
    try {
      return await session.orm.transaction(begin, { isolationLevel: 'read committed' });
    } catch (error) {
      // A pooled connection that the server had closed meanwhile: nothing has been sent on it. Once work has begun a
      // lost connection is not tried again, for nobody knows whether the commit arrived.
      const wasStale = !hasBegun && isConnectionLost(error);
      if (!(isRetryable(error) || wasStale) || tries >= maxTries) throw error;
      await delay(Math.random() * 20 * 2 ** tries);
    }
  }
}
