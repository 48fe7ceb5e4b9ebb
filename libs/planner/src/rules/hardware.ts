import { chooseNeeds, type Firmware, type GuestNeeds, type PlannedDisk } from '@ascend/domain';
import { finding, showList, type Chosen } from '../finding.ts';
import type { PlanParams } from '../params.ts';

/** Stands where a platform has no hardware at all to offer; always beside a blocked finding. */
const noNeeds: GuestNeeds = {
  linuxStorageModules: [],
  linuxNetworkModules: [],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
};

/** Does the platform have hardware that boots `firmware` from `bus`? */
export function bootsFrom(params: PlanParams, firmware: Firmware, bus: string): boolean {
  return chooseNeeds(params.platform.guestNeeds, { firmware, diskBus: bus }) !== null;
}

/** What the hardware of this plan, told by firmware and bus of the boot disk, needs inside the guest. */
export function chooseHardware(
  params: PlanParams,
  firmware: Firmware,
  disks: readonly PlannedDisk[],
): Chosen<GuestNeeds> {
  const { guestNeeds } = params.platform;
  const bus = disks.find((disk) => disk.boot)?.bus ?? null;
  const chosen = chooseNeeds(guestNeeds, { firmware, diskBus: bus });
  if (chosen !== null) return { value: chosen.needs, findings: [] };
  const offered = guestNeeds.map(
    ({ id, diskBuses, needs }) => `${id}: ${(needs.firmware ?? ['any']).join('/')} on ${diskBuses.join('/')}`,
  );
  return {
    value: guestNeeds[0]?.needs ?? noNeeds,
    findings: [
      finding({
        code: 'PLAN_FIRMWARE_UNSUPPORTED',
        severity: 'blocked',
        subject: 'target',
        message: `the platform has no hardware that boots ${firmware} from ${bus ?? 'any disk'}`,
        evidence: showList(offered),
      }),
    ],
  };
}
