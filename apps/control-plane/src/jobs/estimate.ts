import type { RestoreJob } from '@ascend/domain';

// Below this share the measured pace says little: the first steps move no bytes.
const measuredFromPercent = 10;

/**
 * When the job is expected to end, ms since the epoch: from the plan's estimate at first, from the measured pace later.
 * Null when nothing moves (queued, paused, ended).
 */
export function estimateEnd(job: RestoreJob, progressPercent: number, nowMs: number): number | null {
  if (job.state !== 'running') return null;
  const startedAtMs = Math.min(...job.steps.map((step) => step.startedAtMs ?? Number.POSITIVE_INFINITY));
  if (!Number.isFinite(startedAtMs)) return nowMs + job.plan.estimate.durationP50Ms;
  const elapsedMs = Math.max(0, nowMs - startedAtMs);
  if (progressPercent < measuredFromPercent) {
    return Math.max(nowMs, startedAtMs + job.plan.estimate.durationP50Ms);
  }
  return Math.round(nowMs + (elapsedMs * (100 - progressPercent)) / progressPercent);
}
