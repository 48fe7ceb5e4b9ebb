import { rm } from 'node:fs/promises';
import { isAppError } from '@ascend/errors';
import { openSource } from '../source.ts';
import type { StepContext, StepHandler } from '../stepHandler.ts';
import { timed, type StepTiming } from '../timing.ts';
import { buildReport, type RestoreReport } from './report.ts';

/** The end of a job: its report. */
export interface FinalizeOutput extends StepTiming {
  readonly report: RestoreReport;
}

/** Looks at the restore point a last time. A backup that was removed meanwhile does not undo a finished restore. */
async function isSourceUnchanged(context: StepContext): Promise<boolean> {
  try {
    await openSource(context.operation.plan);
    return true;
  } catch (error) {
    if (!isAppError(error)) throw error;
    context.logger.warn('restore point changed after the transfer', { code: error.code });
    return false;
  }
}

/** Drops the overlays with the whole work folder, then closes their ledger rows. Idempotent. */
async function dropOverlays(context: StepContext): Promise<void> {
  await rm(context.workDir, { recursive: true, force: true });
  for (const step of context.operation.plan.steps) {
    for (const resource of step.resources) {
      if (resource.kind === 'overlay') await context.ledger.gone(resource.resourceKey, step.key);
    }
  }
}

/** Writes the report, planned against measured, and leaves nothing of the job on the agent. The VM and its disks stay. */
export const finalize: StepHandler = {
  kind: 'finalize',
  run: (context) =>
    timed(context, async () => {
      const sourceUnchanged = await isSourceUnchanged(context);
      const report = buildReport({
        operation: context.operation,
        sourceUnchanged,
        nowMs: context.clock.now(),
      });
      await dropOverlays(context);
      return { report };
    }),
};
