import { and, asc, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { outbox, restoreStepAttempts } from '../schema/index.ts';
import { runTransaction } from '../session.ts';

/** A message that is sent after the transaction that wrote it: a step command, or word that an operation must stop. */
export interface OutboxMessage {
  /** Message id on the bus, the same for every try: the op id for a command, `<opId>.cancel` for a cancel. */
  readonly msgId: string;
  readonly type: 'command' | 'cancel';
  readonly jobId: string | null;
  readonly siteId: string;
  readonly agentId: string;
  /** Last token of the subject, e.g. the step kind. */
  readonly kind: string;
  /** Danger: stored in the open; never a secret. */
  readonly payload: unknown;
}

/** A message as it is taken for sending. */
export interface OutboxRow extends OutboxMessage {
  readonly id: number;
  /** Times it was taken before. */
  readonly tries: number;
}

/** Stores messages; one with a known `msgId` changes nothing. Meant for inside a transaction. */
export async function insertOutbox(
  tx: Session,
  messages: readonly OutboxMessage[],
  nowMs: number,
): Promise<void> {
  if (messages.length === 0) return;
  await tx.orm
    .insert(outbox)
    .values(messages.map((message) => ({ ...message, createdAt: new Date(nowMs) })))
    .onDuplicateKeyUpdate({ set: { msgId: sql`${outbox.msgId}` } });
}

/** Time on the server's clock, so that replicas with different clocks agree. */
const serverNow = sql`UTC_TIMESTAMP(3)`;
const serverIn = (ms: number) => sql`TIMESTAMPADD(MICROSECOND, ${ms * 1000}, UTC_TIMESTAMP(3))`;

/**
 * Takes unsent messages, oldest first, and claims them for `claimMs` (default 30 s), so that several publishers never
 * hold the same one. A claim that runs out (publisher died) makes the message free again: it is sent twice with one
 * id rather than never.
 */
export const takeOutbox = query(
  'take outbox',
  async (
    session,
    params: { readonly limit: number; readonly claimMs?: number },
  ): Promise<readonly OutboxRow[]> =>
    runTransaction(session, async (tx) => {
      const rows = await tx.orm
        .select()
        .from(outbox)
        .where(
          and(isNull(outbox.sentAt), or(isNull(outbox.claimedUntil), lt(outbox.claimedUntil, serverNow))),
        )
        .orderBy(asc(outbox.id))
        .limit(params.limit)
        .for('update', { skipLocked: true });
      if (rows.length === 0) return [];
      await tx.orm
        .update(outbox)
        .set({ claimedUntil: serverIn(params.claimMs ?? 30_000), tries: sql`${outbox.tries} + 1` })
        .where(
          inArray(
            outbox.id,
            rows.map((row) => row.id),
          ),
        );
      return rows.map(({ createdAt: _c, claimedUntil: _u, sentAt: _s, ...row }) => row);
    }),
);

/** The bus has acknowledged these messages. Idempotent. */
export const markSent = query('mark outbox sent', async (session, ids: readonly number[]): Promise<void> => {
  if (ids.length === 0) return;
  await session.orm
    .update(outbox)
    .set({ sentAt: serverNow, claimedUntil: null })
    .where(inArray(outbox.id, [...ids]));
});

/** Publishing failed: these messages are free again at once. */
export const releaseOutbox = query(
  'release outbox',
  async (session, ids: readonly number[]): Promise<void> => {
    if (ids.length === 0) return;
    await session.orm
      .update(outbox)
      .set({ claimedUntil: null })
      .where(and(inArray(outbox.id, [...ids]), isNull(outbox.sentAt)));
  },
);

/**
 * Makes sent messages unsent, so that they are published again under their old id: after the bus lost its volume, or
 * for operations without a sign of life. Without `msgIds` all commands of operations that have not ended. Returns how many.
 */
export const requeueOutbox = query(
  'requeue outbox',
  async (session, params: { readonly msgIds?: readonly string[] } = {}): Promise<number> => {
    const open = session.orm
      .select({ opId: restoreStepAttempts.opId })
      .from(restoreStepAttempts)
      .where(inArray(restoreStepAttempts.state, ['dispatched', 'running']));
    const which =
      params.msgIds === undefined
        ? and(eq(outbox.type, 'command'), inArray(outbox.msgId, open))
        : inArray(outbox.msgId, [...params.msgIds, '']);
    const [result] = await session.orm.update(outbox).set({ sentAt: null, claimedUntil: null }).where(which);
    return result.affectedRows;
  },
);

/** Removes messages that were sent before `beforeMs` and whose operation has ended. Returns how many. */
export const pruneOutbox = query('prune outbox', async (session, beforeMs: number): Promise<number> => {
  const open = session.orm
    .select({ opId: restoreStepAttempts.opId })
    .from(restoreStepAttempts)
    .where(inArray(restoreStepAttempts.state, ['dispatched', 'running']));
  const [result] = await session.orm
    .delete(outbox)
    .where(and(lt(outbox.sentAt, new Date(beforeMs)), sql`${outbox.msgId} NOT IN ${open}`));
  return result.affectedRows;
});
