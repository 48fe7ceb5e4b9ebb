import { convertFirmware, type Firmware, type RestorePolicy } from '@ascend/domain';
import { finding, findingIf, type Chosen } from '../finding.ts';
import type { PlanParams } from '../params.ts';
import { bootsFrom } from './hardware.ts';

/** The firmware of the new VM. */
export interface FirmwareChoice {
  readonly firmware: Firmware;
  /** The disks are made for another one: the guest gets a boot loader. */
  readonly converts: boolean;
}

function describe(params: PlanParams, firmware: Firmware): Chosen<FirmwareChoice> {
  const offered = params.platform.capabilities.firmware;
  return {
    value: { firmware, converts: false },
    findings: findingIf(!offered.includes(firmware), {
      code: 'PLAN_FIRMWARE_UNSUPPORTED',
      severity: 'blocked',
      subject: 'target',
      message: `the guest boots with ${firmware}, the platform offers ${offered.join(', ')}`,
    }),
  };
}

/** Does the platform have hardware for this firmware, whatever the bus? */
function has(params: PlanParams, firmware: Firmware): boolean {
  const { capabilities } = params.platform;
  return (
    capabilities.firmware.includes(firmware) &&
    capabilities.diskBuses.some((bus) => bootsFrom(params, firmware, bus))
  );
}

/** The platform lacks the guest's firmware: the other one, where the guest can be converted. */
function convert(params: PlanParams, policy: RestorePolicy, from: Firmware): Chosen<FirmwareChoice> {
  const { guest } = params.facts;
  const to: Firmware = from === 'bios' ? 'uefi' : 'bios';
  const lacking = describe(params, from);
  if (has(params, from) || !has(params, to) || guest.firmware !== from) return lacking;
  const { obstacle } = convertFirmware(guest, to);
  const reason = policy.prepareGuest ? obstacle : 'the guest is not prepared';
  const about = { subject: 'target', evidence: 'partition table of the boot disk' } as const;
  const message = `the disks are made for ${from}, the platform boots ${to} alone`;
  return reason === null
    ? {
        value: { firmware: to, converts: true },
        findings: [
          finding({
            ...about,
            code: 'PLAN_FIRMWARE_CONVERTED',
            severity: 'fixed',
            message,
            action: `GRUB for ${to} is put on the overlay; it is not signed, so leave Secure Boot off.`,
          }),
        ],
      }
    : {
        value: lacking.value,
        findings: [
          finding({
            ...about,
            code: 'PLAN_FIRMWARE_UNSUPPORTED',
            severity: 'blocked',
            message: `${message}; it cannot be converted: ${reason}`,
          }),
        ],
      };
}

/** The firmware of the new VM: as specified, else as the disks are made for, else BIOS; the other one where the platform lacks it. */
export function chooseFirmware(params: PlanParams, policy: RestorePolicy): Chosen<FirmwareChoice> {
  const specified = params.vmSpec?.firmware ?? null;
  const seen = params.facts.guest.firmware;
  const chosen = convert(params, policy, specified ?? (seen === 'unknown' ? 'bios' : seen));
  return {
    value: chosen.value,
    findings: [
      ...findingIf(specified === null && seen === 'unknown', {
        code: 'PLAN_FIRMWARE_GUESSED',
        severity: 'warning',
        subject: 'guest',
        message: 'neither a specification nor the disks tell the firmware; bios is assumed',
      }),
      ...findingIf(specified !== null && seen !== 'unknown' && seen !== specified, {
        code: 'PLAN_FIRMWARE_CONFLICT',
        severity: 'warning',
        subject: 'guest',
        message: `the specification says ${specified}, the disks are made for ${seen}; ${specified} is used`,
      }),
      ...chosen.findings,
    ],
  };
}
