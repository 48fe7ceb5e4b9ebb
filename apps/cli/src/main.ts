import { Command, CommanderError } from 'commander';
import { AppError, categoryTraits } from '@ascend/errors';
import { readEnvironment, readSecretReference, type Secret } from '@ascend/runtime';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createApiClient } from './api/client.ts';
import { addBackups } from './commands/backups.ts';
import { addCatalog } from './commands/catalog.ts';
import type { CommandContext } from './commands/context.ts';
import { addAgents, addRepositories, addSites } from './commands/estate.ts';
import { addLocal } from './commands/local.ts';
import { addRestores } from './commands/restores.ts';
import { addTargets } from './commands/targets.ts';
import { createOutput, printError } from './output/output.ts';

interface GlobalOptions {
  url?: string;
  tokenFile?: string;
  json?: boolean;
}

const environment = readEnvironment();

/** The token file: option, ASCEND_TOKEN_FILE, the quickstart's, then the user's own. */
function findToken(option: string | undefined): Secret {
  const quickstart = join(import.meta.dirname, '../../../.ascend/token');
  const candidates = [
    option,
    environment['ASCEND_TOKEN_FILE'],
    quickstart,
    join(homedir(), '.config/ascend/token'),
  ];
  const explicit = candidates.slice(0, 2).find((file) => file !== undefined);
  const file = explicit ?? candidates.find((one) => one !== undefined && existsSync(one));
  if (file === undefined)
    throw new AppError({ code: 'CLI_TOKEN_MISSING', message: 'find API token: no token file is there' });
  return readSecretReference(`file:${file}`, environment);
}

const interrupted = new AbortController();
/** The first Ctrl-C ends the work in order, the second one at once. */
function interrupt(): void {
  if (interrupted.signal.aborted) process.exit(categoryTraits.cancelled.exitCode);
  interrupted.abort();
}

// Danger: these must stay. When nobody listens any more, the library that runs child processes passes the signal on to this process.
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);

const program = new Command('ascend')
  .description('Restores any VM backup to any platform and proves that it boots.')
  .option('--url <url>', 'control plane; default ASCEND_URL or http://127.0.0.1:8082')
  .option(
    '--token-file <file>',
    'file with the API token; default ASCEND_TOKEN_FILE, .ascend/token of the quickstart, ~/.config/ascend/token',
  )
  .option('--json', 'one JSON document (or JSON lines) on standard output, errors as JSON on standard error')
  .showHelpAfterError('(see --help)')
  .configureHelp({ showGlobalOptions: true })
  .addHelpText('after', `\nExit codes: 0 done; ${exitCodeText()}.`);

function exitCodeText(): string {
  return Object.entries(categoryTraits)
    .map(([category, traits]) => `${traits.exitCode} ${category}`)
    .join('; ');
}

/** Runs one command with its context; errors are printed once and become the exit code. */
async function run(work: (context: CommandContext) => Promise<void>): Promise<void> {
  const options = program.opts<GlobalOptions>();
  const api = createApiClient({
    url: options.url ?? environment['ASCEND_URL'] ?? 'http://127.0.0.1:8082',
    token: () => findToken(options.tokenFile),
  });
  try {
    await work({ output: createOutput(options.json === true), api, signal: interrupted.signal });
  } catch (error) {
    process.exitCode = printError(error, options.json === true);
  } finally {
    await api.close();
  }
}

addBackups(program, run);
addCatalog(program, run);
addRepositories(program, run);
addAgents(program, run);
addSites(program, run);
addTargets(program, run);
addRestores(program, run);
addLocal(program, run);

program.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  // commander has printed its own message; help and version are not errors.
  const code = error instanceof CommanderError ? error.exitCode : 1;
  process.exitCode = code === 0 ? 0 : categoryTraits.invalid.exitCode;
}
