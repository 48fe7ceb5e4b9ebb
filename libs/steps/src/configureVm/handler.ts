import { createVmOutputSchema } from '../createVm/output.ts';
import { readOutput } from '../priorOutput.ts';
import type { StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';

/** Sets tags and notes and looks at the VM's tools; idempotent. What it cannot do is a finding, not a failure. */
export const configureVm: StepHandler = {
  kind: 'configure-vm',
  run: (context) =>
    timed(context, async () => {
      const { operation, signal } = context;
      const { vm } = readOutput(operation, 'create-vm', createVmOutputSchema);
      await using session = await context.target.open();
      const findings = await session.configureVm({
        vm,
        spec: operation.plan.vm,
        jobId: operation.jobId,
        signal,
      });
      return { findings };
    }),
};
