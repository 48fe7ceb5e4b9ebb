import type { PlannedDisk } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { bootTest as rehearse, isMachineBus, type MachineBus } from '@ascend/guest';
import { boundedReport, isProven, notProven } from '../bootProof.ts';
import { imageOf, readOverlays } from '../overlays.ts';
import { openSource } from '../source.ts';
import type { StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';

function requireBus(disk: PlannedDisk): MachineBus {
  if (isMachineBus(disk.bus)) return disk.bus;
  const message = `rehearse boot: disk ${disk.diskIndex} wants bus ${disk.bus}, which cannot be rehearsed`;
  throw new AppError({ code: 'STEP_PLAN_MISMATCH', message });
}

/** Boots the prepared disks on the target's hardware model, on throw-away overlays; nothing of it remains. */
export const bootTest: StepHandler = {
  kind: 'boot-test',
  run: (context) =>
    timed(context, async () => {
      const { operation, workDir, logger, signal } = context;
      const { plan } = operation;
      const source = await openSource(plan);
      const overlays = readOverlays(operation);
      const images = await Promise.all(
        plan.disks.map(async (disk) => ({
          diskIndex: disk.diskIndex,
          image: await imageOf(source, overlays, disk.diskIndex),
          bus: requireBus(disk),
          boot: disk.boot,
        })),
      );
      const report = await rehearse({
        images,
        vm: plan.vm,
        nics: plan.nics,
        workDir,
        evidence: plan.policy.evidence,
        serialMarker: plan.policy.serialMarker,
        timeoutMs: plan.policy.bootTimeoutMs,
        logger,
        signal,
        report: (progress) => context.report({ ...progress, bytesSkipped: 0 }),
      });
      if (!isProven(report, plan.policy)) throw notProven(report, `rehearse boot of ${plan.vm.name}`);
      return { report: boundedReport(report) };
    }),
};
