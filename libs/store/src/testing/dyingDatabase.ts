import type { Pool } from 'mysql2/promise';
import type { Database } from '../database.ts';

/** The database as a process has it that dies once the server has run `queries` of its statements. */
export function dyingAfter(queries: number, database: Database): Database {
  const pool: Pool = Object.create(database.pool);
  pool.getConnection = async () => {
    const connection = await database.pool.getConnection();
    const run = connection.query.bind(connection);
    let left = queries;
    const query = async (statement: string, values: string[]): Promise<unknown> => {
      const result = await run(statement, values);
      left -= 1;
      if (left > 0) return result;
      connection.destroy();
      throw new Error('killed');
    };
    return Object.assign(connection, { query });
  };
  return { ...database, pool };
}
