import type { Firmware } from '@ascend/domain';
import { findingIf, type Chosen } from '../finding.ts';
import type { PlanParams } from '../params.ts';

/** The firmware of the new VM: as specified, else as the disks are made for, else BIOS. */
export function chooseFirmware(params: PlanParams): Chosen<Firmware> {
  const specified = params.vmSpec?.firmware ?? null;
  const seen = params.facts.guest.firmware;
  const firmware = specified ?? (seen === 'unknown' ? 'bios' : seen);
  const offered = params.platform.capabilities.firmware;
  return {
    value: firmware,
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
      ...findingIf(!offered.includes(firmware), {
        code: 'PLAN_FIRMWARE_UNSUPPORTED',
        severity: 'blocked',
        subject: 'target',
        message: `the guest boots with ${firmware}, the platform offers ${offered.join(', ')}`,
      }),
    ],
  };
}
