import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '@ascend/errors';
import { runProcess, startProcess, type RunningProcess } from '@ascend/runtime';
import { createConnection } from 'mysql2/promise';

/** A private database server: own folder, own unix socket, no network. */
export interface Mariadb {
  readonly socketPath: string;
  /** URL of a database of this server, for `createDatabase`. */
  url(database: string): string;
  /** Makes an empty database and returns its URL. Default name: a new one each time. */
  createDatabase(name?: string): Promise<string>;
  /** Ends the server; the folder goes too unless it was given. Idempotent. */
  stop(): Promise<void>;
}

/** Where the server keeps its files. */
export interface MariadbParams {
  /** Kept and used again; rows are durable. Without it a temporary folder is used and syncing is off. */
  readonly dir?: string;
}

const startLimitMs = 60_000;

// Several private servers at once use up the kernel's budget for asynchronous I/O and locked memory; these are small.
const noNativeAio = '--innodb-use-native-aio=0';

/** Danger: a server that starts deletes the temporary tables of all others in the same folder, and by default all share one. */
const tmpOf = (dataDir: string): string => join(dataDir, '..', 'tmp');

/** The server gives up root by itself only when told whom to become. */
function asUser(): readonly string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

async function install(dataDir: string): Promise<void> {
  await mkdir(tmpOf(dataDir), { recursive: true, mode: 0o700 });
  if (existsSync(join(dataDir, 'mysql'))) return;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await runProcess({
    program: 'mariadb-install-db',
    args: [
      '--no-defaults',
      `--datadir=${dataDir}`,
      `--tmpdir=${tmpOf(dataDir)}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
      '--innodb-log-file-size=8M',
      noNativeAio,
      ...asUser(),
    ],
  });
}

/** The server answers, or says in its last words why it ended. */
async function waitUntilReady(server: RunningProcess, url: string): Promise<void> {
  const limit = Date.now() + startLimitMs;
  const ended = { output: undefined as string | undefined };
  void server.ended.then((result) => {
    ended.output = result.stderr;
    return result;
  });
  for (;;) {
    try {
      const connection = await createConnection({ uri: url });
      await connection.end();
      return;
    } catch (cause) {
      if (ended.output !== undefined || Date.now() > limit) {
        const tail = ended.output?.trim().split('\n').slice(-3).join(' | ') ?? 'no answer on its socket';
        throw new AppError({ code: 'STORE_UNAVAILABLE', message: `start mariadbd: ${tail}`, cause });
      }
      await delay(30);
    }
  }
}

function serverArgs(dataDir: string, socketPath: string, durable: boolean): readonly string[] {
  return [
    '--no-defaults',
    `--datadir=${dataDir}`,
    `--tmpdir=${tmpOf(dataDir)}`,
    `--socket=${socketPath}`,
    `--pid-file=${socketPath}.pid`,
    '--skip-networking',
    '--skip-name-resolve',
    '--performance-schema=OFF',
    '--innodb-buffer-pool-size=64M',
    '--innodb-log-file-size=8M',
    noNativeAio,
    '--max-connections=200',
    // Not UTC and not strict on purpose: sessions must set both by themselves.
    '--default-time-zone=+05:00',
    '--sql-mode=',
    ...(durable ? [] : ['--innodb-flush-log-at-trx-commit=0', '--skip-innodb-doublewrite']),
    ...asUser(),
  ];
}

/**
 * Starts a private MariaDB server, making its data folder when there is none. It dies with this process.
 *
 * @throws {AppError} PROCESS_NOT_FOUND - MariaDB is not installed; STORE_UNAVAILABLE - it does not start
 */
export async function startMariadb(params: MariadbParams = {}): Promise<Mariadb> {
  const dir = params.dir ?? (await mkdtemp(join(tmpdir(), 'ascend-mariadb-')));
  const dataDir = join(dir, 'data');
  const socketPath = join(dir, 'mariadb.sock');
  const url = (database: string): string =>
    `mysql://root@localhost/${database}?socketPath=${encodeURIComponent(socketPath)}`;
  let server: RunningProcess | undefined;
  const stop = async (): Promise<void> => {
    await server?.stop(20_000);
    if (params.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  try {
    await install(dataDir);
    server = startProcess({
      program: 'mariadbd',
      args: serverArgs(dataDir, socketPath, params.dir !== undefined),
      dieWithParent: true,
    });
    await waitUntilReady(server, url('mysql'));
  } catch (error) {
    await stop();
    throw error;
  }
  let made = 0;
  return {
    socketPath,
    url,
    stop,
    createDatabase: async (name) => {
      made += 1;
      const database = name ?? `test_${made}`;
      const connection = await createConnection({ uri: url('mysql') });
      await connection.query(`CREATE DATABASE IF NOT EXISTS \`${database}\` CHARACTER SET utf8mb4`);
      await connection.end();
      return url(database);
    },
  };
}
