// The agent of Ascend.
//   node apps/agent/src/main.ts                                        runs it (settings: see README)
//   node apps/agent/src/main.ts enrol --api URL --agent-id ID --token-file FILE --dir DIR [--force]
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '@ascend/errors';
import { readEnvironment, readSecretReference } from '@ascend/runtime';
import { agentVersion, describeFailure } from './agentProcess.ts';
import { readConfig } from './config.ts';
import { canReplaceItself, replaceBy } from './lean.ts';

async function enrol(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      api: { type: 'string' },
      'agent-id': { type: 'string' },
      'token-file': { type: 'string' },
      dir: { type: 'string' },
      force: { type: 'boolean', default: false },
    },
  });
  const { api, dir, force } = values;
  const [agentId, tokenFile] = [values['agent-id'], values['token-file']];
  if (api === undefined || dir === undefined || agentId === undefined || tokenFile === undefined) {
    throw new AppError({
      code: 'CONFIG_INVALID',
      message: 'enrol: --api URL, --agent-id ID, --token-file FILE and --dir DIR are needed',
    });
  }
  const { enrolAgent } = await import('./enrol.ts');
  const token = readSecretReference(`file:${tokenFile}`, {});
  const made = await enrolAgent({ api, agentId, token, dir, force, version: agentVersion() });
  process.stdout.write(`enrolled ${made.agentId} at site ${made.siteId}\n`);
}

/** Goes over into the agent with the same pid; where that cannot be, runs it right here. */
async function run(): Promise<void> {
  const environment = readEnvironment();
  const { dir } = readConfig(environment);
  if (canReplaceItself()) {
    const cache = { NODE_COMPILE_CACHE: join(dir, 'compile-cache') };
    replaceBy(new URL('./warm.ts', import.meta.url), [], { ...cache, ...environment });
  }
  const { runAgentProcess } = await import('./agentProcess.ts');
  await runAgentProcess((await import('./tools.ts')).tools);
}

async function main(args: readonly string[]): Promise<void> {
  const [word, ...rest] = args;
  if (word === undefined) {
    await run();
  } else if (word === 'enrol') {
    await enrol(rest);
  } else {
    throw new AppError({ code: 'CONFIG_INVALID', message: `${word}: not known, say enrol or nothing` });
  }
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  process.stderr.write(describeFailure(error));
  process.exit(1);
}
