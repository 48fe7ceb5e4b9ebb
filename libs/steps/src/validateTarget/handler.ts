import { ownedName, type RestorePlan } from '@ascend/domain';
import { assertNotBlocked } from '../blocked.ts';
import type { StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';
import type { ValidateTargetOutput } from './output.ts';

/** Every name that this job may give: what earlier attempts of it left is not "taken". */
function ownNames(jobId: string, plan: RestorePlan): readonly string[] {
  return plan.steps.flatMap((step) =>
    step.resources.map((resource) => ownedName(jobId, step.key, resource.resourceKey)),
  );
}

/** Asks the target once more whether the planned VM would fit, right before anything is made. Creates nothing. */
export const validateTarget: StepHandler = {
  kind: 'validate-target',
  run: (context) =>
    timed(context, async (): Promise<Omit<ValidateTargetOutput, 'startedAtMs' | 'endedAtMs'>> => {
      const { operation, signal } = context;
      const { plan, jobId } = operation;
      await using session = await context.target.open();
      const findings = await session.check({
        vm: plan.vm,
        disks: plan.disks,
        nics: plan.nics,
        ownNames: ownNames(jobId, plan),
        signal,
      });
      assertNotBlocked(findings, `check target ${plan.target.name}`);
      return { findings };
    }),
};
