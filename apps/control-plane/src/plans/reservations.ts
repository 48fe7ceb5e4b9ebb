import { stepKey, type RestoreJob, type StepProgress } from '@ascend/domain';
import type { StorageReservation } from '@ascend/planner';
import { listJobs, loadJob, type Session } from '@ascend/store';

/** Space a running restore is still going to take on its target: the inventory cannot show it yet. Pure. */
export function reservationsOf(
  job: RestoreJob,
  progress: ReadonlyMap<string, Pick<StepProgress, 'bytesDone'>>,
): readonly StorageReservation[] {
  return job.plan.disks.flatMap((disk) => {
    const key = stepKey('transfer-disk', disk.diskIndex);
    const step = job.steps.find((one) => one.key === key);
    if (step === undefined || step.state === 'succeeded') return [];
    const bytes = Math.max(0, disk.bytesToMove - (progress.get(key)?.bytesDone ?? 0));
    return bytes === 0 ? [] : [{ jobId: job.jobId, storage: disk.storage, bytes }];
  });
}

/** What else is going on at a target. */
export interface TargetUse {
  reservations(targetId: string): Promise<readonly StorageReservation[]>;
  /** True when a restore runs there, or ended there since: stored facts about names and space may be wrong. */
  isTouchedSince(targetId: string, sinceMs: number): Promise<boolean>;
}

/** Reads the use of targets from the jobs. */
export function createTargetUse(
  db: Session,
  progressOf: (jobId: string) => ReadonlyMap<string, StepProgress>,
): TargetUse {
  return {
    reservations: async (targetId) => {
      const states = ['queued', 'running', 'paused'] as const;
      const found: StorageReservation[] = [];
      for (const { id } of await listJobs(db, { targetId, states })) {
        const { job } = await loadJob(db, id);
        found.push(...reservationsOf(job, progressOf(id)));
      }
      return found;
    },
    isTouchedSince: async (targetId, sinceMs) => {
      const rows = await listJobs(db, { targetId, limit: 50 });
      // The column holds whole seconds.
      return rows.some((row) => row.completedAt === null || row.completedAt.getTime() + 1000 > sinceMs);
    },
  };
}
