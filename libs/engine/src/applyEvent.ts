import type { RestoreJob } from '@ascend/domain';
import { applyAgentEvent } from './agentEvents.ts';
import { changesBetween } from './changes.ts';
import type { Applied, JobEvent } from './event.ts';
import { applyOperatorEvent } from './operatorEvents.ts';

/**
 * Applies one event. Late, repeated and unknown agent events change nothing and say why; call `decide` afterwards.
 * `jitter` is a random number in [0, 1] for the back-off; 1 waits longest.
 * @throws {AppError} RESTORE_TRANSITION_ILLEGAL - an operator asks for what the job's state does not allow
 * @throws {AppError} RESTORE_INVALIDATE_REFUSED - a retry asks to redo a step a VM was already made from
 */
export function applyEvent(job: RestoreJob, event: JobEvent, nowMs: number, jitter = 1): Applied {
  const moment = { nowMs, jitter };
  const change =
    event.type === 'cancel' ||
    event.type === 'rollback' ||
    event.type === 'retry' ||
    event.type === 'pause' ||
    event.type === 'resume'
      ? applyOperatorEvent(job, event, moment)
      : applyAgentEvent(job, event, moment);
  return typeof change === 'string'
    ? { job, ignored: change, effects: [] }
    : { job: change, ignored: null, effects: changesBetween(job, change) };
}
