import { readFileSync } from 'node:fs';
import { hasCode, isAppError } from '@ascend/errors';
import { createLogger, readEnvironment, systemClock } from '@ascend/runtime';
import { startAgent } from './agent.ts';
import { checkGuestSources, readConfig } from './config.ts';
import { readCredentials } from './credentials.ts';
import type { Toolbox } from './toolbox.ts';

/** Version of this agent, as it tells the control plane. */
export function agentVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  const version = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : '';
  return typeof version === 'string' ? version : '';
}

/** Resolves at the first SIGTERM or SIGINT. */
async function untilTold(abort: AbortController): Promise<string> {
  const told = Promise.withResolvers<string>();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      abort.abort();
      told.resolve(name);
    });
  }
  return await told.promise;
}

/**
 * Runs the agent as this process until it is told to stop: suspends its operations and returns. Nothing may end it
 * otherwise: what slips through anywhere is logged, and the operation it belongs to fails or is delivered again.
 */
export async function runAgentProcess(toolbox: Toolbox): Promise<void> {
  const config = readConfig(readEnvironment());
  await checkGuestSources(config);
  const logger = createLogger({ name: 'agent', level: config.logLevel });
  process.on('unhandledRejection', (reason) => {
    logger.error('a promise was rejected and nobody listened', { reason: String(reason) });
  });
  const abort = new AbortController();
  const told = untilTold(abort);
  const credentials = await readCredentials(config.dir);
  try {
    const agent = await startAgent({
      config,
      credentials,
      toolbox,
      version: agentVersion(),
      clock: systemClock,
      logger,
      signal: abort.signal,
    });
    logger.info('told to stop', { signal: await told });
    await agent.stop();
  } catch (error) {
    if (!hasCode(error, 'OPERATION_CANCELLED')) throw error;
  }
}

/** One line for people and the exit code for scripts. */
export function describeFailure(error: unknown): string {
  if (!isAppError(error)) return `ascend-agent: ${String(error)}\n`;
  return `ascend-agent: ${error.code}: ${error.message}\n  ${error.hint}\n`;
}
