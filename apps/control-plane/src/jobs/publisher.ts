import { stepCommandSchema, type AgentAddress, type StepCommand } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import { markSent, releaseOutbox, takeOutbox, type OutboxRow, type Session } from '@ascend/store';
import { startLoop, type Loop } from './loop.ts';

const pollMs = 1000;
const batch = 20;

/** What the publisher works with. */
export interface PublisherDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves when the bus has stored the command; the same message id however often it is tried. */
  publish(
    address: AgentAddress,
    command: StepCommand,
    options: { readonly msgId: string; readonly signal: AbortSignal },
  ): Promise<unknown>;
}

async function publishRow(deps: PublisherDeps, row: OutboxRow, signal: AbortSignal): Promise<void> {
  const address = { siteId: row.siteId, agentId: row.agentId };
  const command = stepCommandSchema.parse(row.payload);
  await deps.publish(address, command, { msgId: row.msgId, signal });
}

async function publishBatch(deps: PublisherDeps, signal: AbortSignal): Promise<'again' | 'rest'> {
  const rows = await takeOutbox(deps.db, { limit: batch });
  const sent = new Set<number>();
  for (const row of rows) {
    if (signal.aborted) break;
    try {
      await publishRow(deps, row, signal);
      sent.add(row.id);
    } catch (error) {
      // One message must not hold up those behind it; it stays in the outbox.
      if (!signal.aborted) deps.logger.error('command not published', { msgId: row.msgId, error });
    }
  }
  // A message that was acknowledged but not marked is sent again with its old id, which does no harm.
  await markSent(deps.db, [...sent]);
  await releaseOutbox(
    deps.db,
    rows.map((row) => row.id).filter((id) => !sent.has(id)),
  );
  return rows.length === batch && sent.size > 0 ? 'again' : 'rest';
}

/** Sends what transactions left in the outbox, in their order. Any number of replicas may do so at once. */
export function startPublisher(deps: PublisherDeps): Loop {
  return startLoop({
    name: 'publish outbox',
    intervalMs: pollMs,
    clock: deps.clock,
    logger: deps.logger,
    work: (signal) => publishBatch(deps, signal),
  });
}
