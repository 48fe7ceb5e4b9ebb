import type { RestoreJob } from '@ascend/domain';
import type { ControlReplies } from '@ascend/protocol';

/** What an agent shall do with an open operation (D6). */
export type Verdict = ControlReplies['hello']['ops'][string];

/**
 * The verdict about one operation that an agent reports as open; `job` is the one it belongs to, null when nobody knows it.
 * Unknown and overtaken operations are stopped, not forgotten: what they saw on the target is still wanted.
 */
export function verdictOf(job: RestoreJob | null, opId: string): Verdict {
  if (job === null) return 'stop';
  const step = job.steps.find((one) => one.opId === opId);
  if (step !== undefined) {
    const wanted = step.state === 'dispatched' || step.state === 'running' || step.state === 'waiting';
    if (!wanted) return 'forget';
    return job.state === 'running' || job.state === 'paused' ? 'continue' : 'stop';
  }
  const entry = job.ledger.find((row) => row.opId === opId);
  return entry?.state === 'deleting' ? 'continue' : 'stop';
}
