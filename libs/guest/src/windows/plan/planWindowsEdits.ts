import { isBlocked } from '@ascend/domain';
import { efiSuffix, fallbackPath } from '../../efi/fallbackName.ts';
import { windowsObstacles } from './obstacles.ts';
import { planDrivers } from './planDrivers.ts';
import { planFirstBoot } from './planFirstBoot.ts';
import { finding, joinPlans, type PlannedWindows, type WindowsPlanParams } from './planParams.ts';
import { planBootServices, planOtherServices, planSanPolicy } from './planServices.ts';

/** The boot loader firmware takes when it has no stored entries, as on a new VM. */
function planEfiFallback(params: WindowsPlanParams): PlannedWindows {
  const { esp, facts } = params;
  const suffix = efiSuffix(facts.arch);
  if (esp === null || esp.fallback || !esp.bootManager || suffix === null) return { edits: [], findings: [] };
  const to = fallbackPath(suffix);
  const from = 'EFI/Microsoft/Boot/bootmgfw.efi';
  const reason = 'the firmware of a new VM has no boot entries and takes the fallback';
  const fixed = finding('GUEST_EFI_FALLBACK_ABSENT', 'fixed', {
    message: `the EFI system partition has no ${to}`,
    evidence: from,
    action: 'the boot loader of Windows is copied there',
  });
  return { edits: [{ kind: 'copy-efi-file', from, to, reason }], findings: [fixed] };
}

/**
 * Computes what must change in a Windows guest for the target: pure, a dry run that touches nothing. A guest that must
 * not be edited gets blocked findings and no edits.
 */
export function planWindowsEdits(params: WindowsPlanParams): PlannedWindows {
  const obstacles = windowsObstacles(params);
  if (isBlocked(obstacles)) return { edits: [], findings: obstacles };
  const drivers = planDrivers(params);
  const plan = joinPlans([
    { edits: [], findings: obstacles },
    planBootServices(params),
    drivers,
    planOtherServices(params),
    planSanPolicy(params),
    planFirstBoot(params, drivers.staged),
    planEfiFallback(params),
  ]);
  return isBlocked(plan.findings) ? { edits: [], findings: plan.findings } : plan;
}
