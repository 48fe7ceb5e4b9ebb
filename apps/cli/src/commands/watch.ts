import { AppError, hasCode } from '@ascend/errors';
import { restoreSchema, type Restore } from '@ascend/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { createProgressView, type ProgressView } from '../output/progress.ts';
import { formatRestore } from '../output/restore.ts';
import { readAnswer, type CommandContext } from './context.ts';

const endStates = new Set(['completed', 'failed', 'cancelled', 'rolled_back']);

/** Time between two looks at the restore while the event stream is away; also the longest wait after its end. */
const pollMs = 2000;

async function look(context: CommandContext, id: string): Promise<Restore> {
  return readAnswer(restoreSchema, await context.api.get(`/restores/${encodeURIComponent(id)}`));
}

/** Follows the event stream until it ends or breaks; returns the last durable id seen. */
async function follow(
  context: CommandContext,
  id: string,
  afterId: string | null,
  view: ProgressView,
): Promise<string | null> {
  let last = afterId;
  try {
    for await (const event of context.api.events(
      `/restores/${encodeURIComponent(id)}/events`,
      last,
      context.signal,
    )) {
      if (event.id !== '') last = event.id;
      if (event.event === 'progress') view.progress(event.data);
      else if (event.event !== 'snapshot') {
        view.update(await look(context, id));
        if (context.output.json)
          context.output.line({ id: event.id, event: event.event, data: event.data }, '');
      }
    }
  } catch (error) {
    if (context.signal.aborted || !(hasCode(error, 'CLI_API_UNREACHABLE') || !isKnown(error))) throw error;
  }
  return last;
}

function isKnown(error: unknown): boolean {
  return error instanceof Error && error.name === 'AppError';
}

/**
 * Shows a restore until it has ended; survives restarts of the control plane. `wanted` is the end that was asked for.
 *
 * @throws {AppError} CLI_RESTORE_NOT_COMPLETED - it ended otherwise
 */
export async function watchRestore(
  context: CommandContext,
  id: string,
  wanted: readonly string[] = ['completed'],
): Promise<void> {
  const view = createProgressView({
    write: (text) => process.stderr.write(text),
    live: !context.output.json && process.stderr.isTTY,
  });
  let last: string | null = null;
  let restore = await look(context, id);
  while (!endStates.has(restore.state)) {
    if (!context.output.json) view.update(restore);
    last = await follow(context, id, last, view);
    await delay(pollMs, undefined, { signal: context.signal });
    restore = await lookPatiently(context, id, restore);
  }
  view.update(restore);
  view.close();
  context.output.line(restore, formatRestore(restore));
  if (!wanted.includes(restore.state)) {
    throw new AppError({
      code: 'CLI_RESTORE_NOT_COMPLETED',
      message: `watch restore ${id}: it ended ${restore.state}${restore.error === null ? '' : `: ${restore.error.message}`}`,
      details:
        restore.error === null ? {} : { cause_code: restore.error.code, cause_hint: restore.error.hint },
    });
  }
}

/** A control plane that restarts is waited for; anything else it says is an answer. */
async function lookPatiently(context: CommandContext, id: string, previous: Restore): Promise<Restore> {
  try {
    return await look(context, id);
  } catch (error) {
    if (hasCode(error, 'CLI_API_UNREACHABLE')) return previous;
    throw error;
  }
}
