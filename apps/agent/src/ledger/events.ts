import { serializeError, type AppError } from '@ascend/errors';
import { stepEventSchema, type StepEvent } from '@ascend/protocol';

/** What identifies one operation: the head of its command. */
export interface OpHead {
  readonly opId: string;
  readonly jobId: string;
  readonly stepKey: string;
  readonly epoch: number;
}

/** How an operation ended, before it becomes an event. */
export type OpResult =
  | { readonly type: 'succeeded'; readonly output: unknown }
  | { readonly type: 'failed'; readonly error: AppError }
  | { readonly type: 'cancelled' }
  | { readonly type: 'undone'; readonly resourceKey: string }
  | { readonly type: 'undo-failed'; readonly resourceKey: string; readonly error: AppError };

/** The fields all events of an operation share; the event id is the operation's id with a suffix that never comes twice. */
export function eventBase(head: OpHead, suffix: string, atMs: number) {
  const { opId, jobId, stepKey, epoch } = head;
  return { v: 1 as const, eventId: `${opId}:${suffix}`, opId, jobId, stepKey, epoch, atMs };
}

/** The event that tells how an operation ended. */
export function resultEvent(head: OpHead, result: OpResult, atMs: number): StepEvent {
  const base = eventBase(head, 'result', atMs);
  if (result.type !== 'failed' && result.type !== 'undo-failed') return { ...base, ...result };
  return stepEventSchema.parse({ ...base, ...result, error: serializeError(result.error) });
}
