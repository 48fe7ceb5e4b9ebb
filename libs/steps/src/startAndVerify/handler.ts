import type { RestorePlan } from '@ascend/domain';
import { z } from 'zod';
import { boundedReport, isProven, notProven } from '../bootProof.ts';
import { createVmOutputSchema } from '../createVm/output.ts';
import { readOutput } from '../priorOutput.ts';
import type { StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';

const failedEarlier = z.object({ failed: z.literal(true) });

/** Addresses that the guest must keep; where the platform gives addresses there is none to expect. */
function expectedAddresses(plan: RestorePlan): readonly string[] {
  return plan.nics.flatMap((nic) => (nic.rule === 'platform-dhcp' ? [] : nic.addresses));
}

/**
 * Starts the VM and waits for the evidence that the policy demands. An attempt that was cut adopts the running VM; one
 * after a failed proof starts it afresh. A VM that did not prove its boot is left running, for a closer look.
 *
 * @throws {AppError} STEP_BOOT_NOT_PROVEN - with the tail of the serial console in the details
 */
export const startAndVerify: StepHandler = {
  kind: 'start-and-verify',
  run: (context) =>
    timed(context, async () => {
      const { operation, signal } = context;
      const { plan } = operation;
      const { vm } = readOutput(operation, 'create-vm', createVmOutputSchema);
      await using session = await context.target.open();
      if (failedEarlier.safeParse(operation.checkpoint).success) await session.powerOff(vm, signal);
      context.report({ phase: 'start', bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 });
      await session.powerOn(vm, signal);
      const report = await session.verifyBoot({
        vm,
        evidence: plan.policy.evidence,
        serialMarker: plan.policy.serialMarker,
        expectedAddresses: expectedAddresses(plan),
        timeoutMs: plan.policy.bootTimeoutMs,
        onProgress: (progress) => context.report({ ...progress, bytesSkipped: 0 }),
        signal,
      });
      if (!isProven(report, plan.policy)) {
        await context.checkpoint({ failed: true });
        throw notProven(report, `start VM ${vm.name}`);
      }
      return { report: boundedReport(report) };
    }),
};
