import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { createApiToken, createDatabase, migrate } from '@ascend/store';
import type { Config } from './config.ts';
import { roles, type Role } from './http/roles.ts';

interface TokenOptions {
  readonly name: string;
  readonly role: Role;
  readonly out: string;
}

const usage = 'token create --name NAME --out FILE [--role viewer|operator|admin]';

function parse(args: readonly string[]) {
  const options = { name: { type: 'string' }, role: { type: 'string' }, out: { type: 'string' } } as const;
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (cause) {
    throw new AppError({ code: 'INPUT_INVALID', message: `read arguments: expected ${usage}`, cause });
  }
}

function readOptions(args: readonly string[]): TokenOptions {
  const { values, positionals } = parse(args);
  const role = roles.find((one) => one === (values.role ?? 'admin'));
  const { name, out } = values;
  if (positionals.join(' ') !== 'create' || name === undefined || out === undefined || role === undefined) {
    throw new AppError({ code: 'INPUT_INVALID', message: `read arguments: expected ${usage}` });
  }
  return { name, role, out };
}

/**
 * Makes an API token and writes it to a new file of mode 600: how the first token of an installation comes to be.
 * The database is migrated before. A file that exists is not touched.
 *
 * @throws {AppError} INPUT_INVALID - wrong arguments, or the file exists or cannot be written
 */
export async function createTokenFile(
  config: Config,
  args: readonly string[],
  clock: Clock,
): Promise<{ readonly file: string; readonly role: Role }> {
  const { name, role, out } = readOptions(args);
  const db = createDatabase({ url: config.databaseUrl.reveal(), connectionLimit: 2 });
  try {
    await migrate(db);
    // Reserved before the token is made, so that no token exists that nobody holds.
    writeFileSync(out, '', { flag: 'wx', mode: 0o600 });
    const params = { userName: name, role, tokenName: name, nowMs: clock.now() };
    const { token } = await createApiToken(db, params);
    writeFileSync(out, `${token}\n`, { mode: 0o600 });
    return { file: out, role };
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause;
    throw new AppError({ code: 'INPUT_INVALID', message: `write token to ${out}: ${cause.message}`, cause });
  } finally {
    await db.close();
  }
}
