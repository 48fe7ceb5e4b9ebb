import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '@ascend/errors';
import { parseStatements, type Statement } from './statement.ts';

/** One migration as it lies in the folder. */
export interface Migration {
  readonly version: number;
  /** File name without `.up.sql`. */
  readonly name: string;
  readonly up: readonly Statement[];
  readonly down: readonly Statement[];
  /** sha256 of the up file. */
  readonly checksum: string;
}

/** The migrations that belong to this source tree. */
export const migrationsDir = fileURLToPath(new URL('../../migrations/', import.meta.url));

/**
 * Reads all migrations of a folder in order.
 *
 * @throws {AppError} STORE_MIGRATION_MALFORMED - folder or file unreadable, a gap in the numbers, a missing down file
 */
export async function readMigrations(dir: string = migrationsDir): Promise<readonly Migration[]> {
  try {
    const names = (await readdir(dir)).filter((name) => name.endsWith('.up.sql')).toSorted();
    return await Promise.all(
      names.map(async (file, index) => {
        const name = file.slice(0, -'.up.sql'.length);
        const version = Number(name.slice(0, 4));
        if (version !== index + 1) throw new Error(`${file} is at place ${index + 1}`);
        const [up, down] = await Promise.all([
          readFile(join(dir, file), 'utf8'),
          readFile(join(dir, `${name}.down.sql`), 'utf8'),
        ]);
        return {
          version,
          name,
          up: parseStatements(up, `${name}.up.sql`),
          down: parseStatements(down, `${name}.down.sql`),
          checksum: createHash('sha256').update(up).digest('hex'),
        };
      }),
    );
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new AppError({
      code: 'STORE_MIGRATION_MALFORMED',
      message: `read migrations in ${dir}: ${problem}`,
      cause,
    });
  }
}
