import type { VmDevice } from '@ascend/domain';
import { finding, findingIf, showList, type Chosen } from '../finding.ts';
import type { PlanParams } from '../params.ts';
import type { FirmwareChoice } from './firmware.ts';

/** What the new VM has of the old one's security hardware. */
export interface Features {
  readonly secureBoot: boolean;
  readonly tpm: boolean;
}

/** Devices that hold nothing a restored VM needs to run; nothing is said about them. */
const harmless: ReadonlySet<VmDevice['kind']> = new Set([
  'cdrom',
  'floppy',
  'serial-port',
  'parallel-port',
  'sound',
  'watchdog',
]);

/** Secure Boot and TPM as the VM had them, where the platform and the firmware allow. */
export function chooseFeatures(params: PlanParams, { firmware, converts }: FirmwareChoice): Chosen<Features> {
  const { capabilities } = params.platform;
  const had = { secureBoot: params.vmSpec?.secureBoot ?? false, tpm: params.vmSpec?.tpm ?? false };
  const secureBoot = had.secureBoot && capabilities.secureBoot && firmware === 'uefi' && !converts;
  const tpm = had.tpm && capabilities.tpm;
  const reason = converts ? 'its new boot loader is not signed' : `it boots with ${firmware}`;
  const why = capabilities.secureBoot ? reason : 'the platform does not offer it';
  return {
    value: { secureBoot, tpm },
    findings: [
      ...findingIf(had.secureBoot && !secureBoot, {
        code: 'PLAN_SECURE_BOOT_OFF',
        severity: 'warning',
        subject: 'target',
        message: `the VM had Secure Boot; the new one boots without: ${why}`,
      }),
      ...findingIf(had.tpm, {
        code: 'PLAN_TPM_LOST',
        severity: 'warning',
        subject: 'target',
        message: tpm
          ? 'the VM had a TPM; the new one is empty, as no disk holds what was in it'
          : 'the VM had a TPM; the platform offers none',
      }),
    ],
  };
}

/** Does the platform run the guest's processor architecture? Told by the guest, else by the specification. */
export function checkArchitecture(params: PlanParams): Chosen<string | null> {
  const value = params.facts.guest.arch ?? params.vmSpec?.cpuArch ?? null;
  const { architectures } = params.platform.capabilities;
  return {
    value,
    findings: findingIf(value !== null && !architectures.includes(value), {
      code: 'PLAN_ARCHITECTURE_UNSUPPORTED',
      severity: 'blocked',
      subject: 'guest',
      message: `the guest is made for ${value}, the platform runs ${architectures.join(', ')}`,
    }),
  };
}

/** Devices of the old VM that the new one does not get, e.g. a GPU that was passed through. */
export function checkDevices(params: PlanParams): Chosen<readonly VmDevice[]> {
  const value = (params.vmSpec?.devices ?? []).filter(({ kind }) => !harmless.has(kind));
  return {
    value,
    findings:
      value.length === 0
        ? []
        : [
            finding({
              code: 'PLAN_DEVICES_LEFT_OUT',
              severity: 'warning',
              subject: 'target',
              message: `${value.length} devices of the VM are left out: ${showList([...new Set(value.map(({ kind }) => kind))].sort())}`,
              evidence: showList(value.map(({ kind, description }) => `${kind}: ${description}`)),
            }),
          ],
  };
}
