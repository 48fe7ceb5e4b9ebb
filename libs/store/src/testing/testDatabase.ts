import { createDatabase, type Database } from '../database.ts';
import { migrate } from '../migrate/migrate.ts';
import { startMariadb, type Mariadb } from './mariadb.ts';

/** A migrated database on a server of its own. */
export interface TestDatabase {
  readonly server: Mariadb;
  readonly url: string;
  readonly database: Database;
  /** Ends connections and server and removes the files. */
  close(): Promise<void>;
}

/** Starts a private server with one migrated, empty database: about one second. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const server = await startMariadb();
  const url = await server.createDatabase();
  const database = createDatabase({ url });
  const close = async (): Promise<void> => {
    await database.close();
    await server.stop();
  };
  try {
    await migrate(database);
  } catch (error) {
    await close();
    throw error;
  }
  return { server, url, database, close };
}
