import {
  isBlocked,
  type AgentView,
  type Finding,
  type GuestFacts,
  type GuestNeeds,
  type KernelFacts,
  type RestorePolicy,
} from '@ascend/domain';
import { addressRulesProblem } from '@ascend/domain/addresses';
import { finding, findingIf } from '../finding.ts';
import type { PlanParams } from '../params.ts';
import { agentPackageFindings } from './agentPackages.ts';
import { windowsFindings } from './windowsGuest.ts';

/** What one kernel has to get, and what it cannot get because it does not ship it. */
interface KernelNeeds {
  readonly kernel: KernelFacts;
  /** Drivers shipped with the kernel as files that its boot image lacks. */
  readonly inject: readonly string[];
  /** Needed drivers that the kernel does not ship. */
  readonly missing: readonly string[];
  /** Storage drivers the kernel boots without if nothing is done. */
  readonly lackingToBoot: readonly string[];
}

// The kernel takes `-` and `_` in module names for the same.
function moduleSet(...lists: readonly (readonly string[])[]): ReadonlySet<string> {
  return new Set(lists.flat().map((name) => name.replaceAll('-', '_')));
}

function kernelNeeds(needs: GuestNeeds, kernel: KernelFacts): KernelNeeds {
  const { linuxStorageModules, linuxNetworkModules, linuxOptionalModules } = needs;
  const builtin = moduleSet(kernel.builtinModules ?? []);
  const present = moduleSet(kernel.initramfsModules, kernel.builtinModules ?? []);
  const available = moduleSet(kernel.availableModules, kernel.initramfsModules);
  const storage = moduleSet(linuxStorageModules);
  const required = moduleSet(linuxStorageModules, linuxNetworkModules);
  const wanted = moduleSet([...required], linuxOptionalModules);
  return {
    kernel,
    inject: [...wanted].filter((name) => !present.has(name) && available.has(name)),
    missing: [...required].filter((name) => !builtin.has(name) && !available.has(name)),
    lackingToBoot: [...storage].filter((name) => !present.has(name)),
  };
}

/** Kernels that boot through an image: a folder of modules without one is a leftover. */
function bootedKernels(guest: GuestFacts): readonly KernelFacts[] {
  return guest.kernels
    .filter((kernel) => kernel.initramfsPath !== null)
    .toSorted((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }));
}

/** The newest kernel is the one a boot loader starts: what it lacks blocks, what an older one lacks is worth a warning. */
function kernelFindings(needs: KernelNeeds, guest: GuestFacts, isNewest: boolean): readonly Finding[] {
  const { kernel, inject, missing } = needs;
  const names = inject.join(', ');
  const about = {
    subject: 'guest',
    evidence: `kernel ${kernel.version}, boot image ${kernel.initramfsPath}`,
  } as const;
  return [
    ...findingIf(inject.length > 0, {
      ...about,
      code: 'PLAN_DRIVER_INJECTED',
      severity: 'fixed',
      message: `the boot image of kernel ${kernel.version} lacks ${names}`,
      action:
        guest.initramfsTool === 'none'
          ? `${names} are appended to the boot image.`
          : `${names} are added by ${guest.initramfsTool}, permanently.`,
    }),
    ...findingIf(missing.length > 0, {
      ...about,
      code: 'PLAN_DRIVER_MISSING',
      severity: isNewest ? 'blocked' : 'warning',
      message: `kernel ${kernel.version} does not ship ${missing.join(', ')}`,
    }),
  ];
}

function deviceNameFindings(guest: GuestFacts): readonly Finding[] {
  return (guest.deviceNames ?? []).map(({ path, device, uuid }) =>
    uuid === null
      ? finding({
          code: 'PLAN_DEVICE_NAME_UNKNOWN',
          severity: 'warning',
          subject: 'guest',
          message: `/${path} names ${device}, and nothing tells which file system that is`,
        })
      : finding({
          code: 'PLAN_DEVICE_NAME_REPLACED',
          severity: 'fixed',
          subject: 'guest',
          message: `/${path} names ${device}, which is called otherwise on the target`,
          action: `It is replaced by UUID=${uuid}.`,
        }),
  );
}

/** Who prepares which guest for what. */
interface PreparationParams {
  readonly guest: GuestFacts;
  readonly needs: GuestNeeds;
  readonly policy: RestorePolicy;
  /** null = no agent can be named. */
  readonly agent: AgentView | null;
}

function preparationFindings(params: PreparationParams): readonly Finding[] {
  const { guest, needs, agent } = params;
  const kernels = bootedKernels(guest);
  const system = [guest.distribution, guest.version].filter((part) => part !== null).join(' ');
  const evidence = [system, ...guest.remarks].filter((part) => part !== '').join('; ');
  if (guest.family === 'unknown') {
    return [
      finding({
        code: 'PLAN_GUEST_UNKNOWN',
        severity: 'blocked',
        subject: 'guest',
        message: 'no operating system was recognised on the disks',
        evidence,
      }),
    ];
  }
  const agents = agentPackageFindings(guest, needs, agent);
  if (guest.family === 'windows') {
    const found = windowsFindings({ ...params, evidence });
    return isBlocked(found) ? found : [...found, ...agents];
  }
  const lacking =
    guest.root === null ? 'root file system' : kernels.length === 0 ? 'kernel with a boot image' : null;
  if (lacking !== null) {
    return [
      finding({
        code: 'PLAN_GUEST_UNSUPPORTED',
        severity: 'blocked',
        subject: 'guest',
        message: `no ${lacking} was found in the linux guest`,
        evidence,
      }),
    ];
  }
  return [
    ...kernels.flatMap((kernel) =>
      kernelFindings(kernelNeeds(needs, kernel), guest, kernel === kernels.at(-1)),
    ),
    ...deviceNameFindings(guest),
    ...agents,
  ];
}

function rawFindings(guest: GuestFacts, needs: GuestNeeds): Finding[] {
  return bootedKernels(guest)
    .map((kernel) => kernelNeeds(needs, kernel))
    .filter(({ lackingToBoot }) => lackingToBoot.length > 0)
    .map(({ kernel, lackingToBoot }) =>
      finding({
        code: 'PLAN_GUEST_RAW',
        severity: 'warning',
        subject: 'guest',
        message: `the guest stays as it is, and kernel ${kernel.version} boots without ${lackingToBoot.join(', ')}`,
      }),
    );
}

/** Wishes about what is inside the guest that cannot be met. */
function wishFindings(policy: RestorePolicy): readonly Finding[] {
  const { addressRules, firstBootScript, acceptDirty, prepareGuest } = policy;
  const problem = addressRulesProblem(addressRules);
  const wishes = addressRules.length > 0 || firstBootScript !== null || acceptDirty;
  return [
    ...findingIf(problem !== null, {
      code: 'GUEST_ADDRESS_RULE_UNUSABLE',
      severity: 'blocked',
      subject: 'guest',
      message: `a rule for addresses cannot be used: ${problem ?? ''}`,
    }),
    ...findingIf(wishes && !prepareGuest, {
      code: 'PLAN_GUEST_RAW',
      severity: 'blocked',
      subject: 'guest',
      message: 'addresses, a first-boot script and dirty volumes matter only where the guest is prepared',
    }),
  ];
}

/** Can the guest be made ready for the target's hardware, and what will be done to it? */
export function checkGuest(
  params: PlanParams,
  policy: RestorePolicy,
  chosen: { readonly needs: GuestNeeds; readonly agent: AgentView | null },
): readonly Finding[] {
  const { needs, agent } = chosen;
  const { guest } = params.facts;
  const remarks = guest.remarks.map((remark) =>
    finding({
      code: 'PLAN_GUEST_REMARK',
      severity: 'warning',
      subject: 'guest',
      message: remark,
    }),
  );
  return [
    ...wishFindings(policy),
    ...(policy.prepareGuest
      ? preparationFindings({ guest, needs, policy, agent })
      : rawFindings(guest, needs)),
    ...remarks,
  ];
}
