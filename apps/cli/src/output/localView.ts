import type { RestoreJob, StepProgress } from '@ascend/domain';
import { formatDuration, formatTable } from './format.ts';
import { createStepLines } from './progress.ts';

/** A view of a restore that runs in this process. */
export interface LocalView {
  update(job: RestoreJob): void;
  progress(progress: StepProgress): void;
  close(): void;
}

/** Creates a view. `live`: the terminal can redraw lines in place. */
export function createLocalView(params: {
  readonly write: (text: string) => void;
  readonly live: boolean;
}): LocalView {
  const lines = createStepLines(params);
  return {
    update: (job) =>
      lines.draw(job.steps.map((step) => ({ key: step.key, state: step.state, attempt: step.attempt }))),
    progress: (progress) =>
      lines.observe(progress.stepKey, progress.atMs, {
        phase: progress.phase,
        done: progress.bytesDone,
        total: progress.bytesTotal,
        skipped: progress.bytesSkipped,
      }),
    close: () => lines.close(),
  };
}

/** A local restore with its steps as text. */
export function formatLocalJob(job: RestoreJob): string {
  const rows = job.steps.map((step) => [
    step.key,
    step.state,
    String(step.attempt),
    step.startedAtMs === null || step.completedAtMs === null
      ? '-'
      : formatDuration(step.completedAtMs - step.startedAtMs),
    step.error === null ? '' : `${step.error.code}: ${step.error.message}`,
  ]);
  return `restore ${job.jobId}: ${job.state}, VM ${job.plan.vm.name} from ${job.plan.backupId}\n${formatTable(['STEP', 'STATE', 'TRY', 'TOOK', 'ERROR'], rows)}`;
}
