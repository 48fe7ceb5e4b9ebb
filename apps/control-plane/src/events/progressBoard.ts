import type { StepProgress } from '@ascend/domain';
import type { ProgressMessage } from '@ascend/protocol';

/** The newest counters of every running step, as this replica hears them. Memory only; rows are saved from it. */
export interface ProgressBoard {
  /** Takes a message; one that is older than what is known is dropped. */
  note(message: ProgressMessage): void;
  /** Newest counters by step key. */
  of(jobId: string): ReadonlyMap<string, StepProgress>;
  /** Jobs with counters newer than the last call of this function. */
  takeChanged(): readonly string[];
  /** Forgets a job that has ended. */
  drop(jobId: string): void;
  /** Forgets every job that is not among these. */
  keepOnly(jobIds: readonly string[]): void;
}

/** An empty board. */
export function createProgressBoard(): ProgressBoard {
  const jobs = new Map<string, Map<string, StepProgress>>();
  const changed = new Set<string>();
  return {
    note: (message) => {
      const steps = jobs.get(message.jobId) ?? new Map<string, StepProgress>();
      jobs.set(message.jobId, steps);
      const known = steps.get(message.stepKey);
      if (known !== undefined && known.atMs > message.atMs) return;
      const { stepKey, phase, bytesDone, bytesTotal, bytesSkipped, atMs } = message;
      steps.set(stepKey, { stepKey, phase, bytesDone, bytesTotal, bytesSkipped, atMs });
      changed.add(message.jobId);
    },
    of: (jobId) => jobs.get(jobId) ?? new Map<string, StepProgress>(),
    takeChanged: () => {
      const taken = [...changed];
      changed.clear();
      return taken;
    },
    drop: (jobId) => {
      jobs.delete(jobId);
      changed.delete(jobId);
    },
    keepOnly: (jobIds) => {
      const wanted = new Set(jobIds);
      for (const jobId of jobs.keys()) if (!wanted.has(jobId)) jobs.delete(jobId);
      for (const jobId of changed) if (!wanted.has(jobId)) changed.delete(jobId);
    },
  };
}
