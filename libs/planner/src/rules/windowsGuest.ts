import {
  bootControlSet,
  driversToBring,
  usableServices,
  windowsService,
  type AgentView,
  type Finding,
  type GuestFacts,
  type GuestNeeds,
  type RestorePolicy,
  type WindowsFacts,
  type WindowsNeeds,
} from '@ascend/domain';
import { finding, findingIf } from '../finding.ts';
import { sourcesOf, type AgentSources } from './guestSources.ts';

/** What a plan for a Windows guest depends on beside facts and needs. */
export interface WindowsRuleParams {
  readonly guest: GuestFacts;
  readonly needs: GuestNeeds;
  readonly policy: RestorePolicy;
  /** The agent that prepares the guest; null = none can be named. */
  readonly agent: AgentView | null;
  readonly evidence: string;
}

/** Why a Windows guest must not be edited, by what was seen of its volume; null = nothing forbids it. */
function obstacle({ volume, hibernation, hives }: WindowsFacts): string | null {
  if (volume.encrypted) return 'the Windows volume is encrypted by BitLocker';
  if (volume.dynamicDisk) return 'the Windows volume lies on a dynamic disk';
  if (hibernation === 'hibernated')
    return 'the Windows guest is hibernated, perhaps by a shutdown with fast start-up';
  const lost = hives.find(({ state }) => state === 'unrecoverable');
  return lost === undefined
    ? null
    : `the registry hive ${lost.name} was not flushed and its transaction logs do not fit`;
}

function isInUse({ volume }: WindowsFacts): boolean {
  return volume.dirty === true || volume.logClosed === false;
}

function inUseFinding({ policy, evidence }: WindowsRuleParams): Finding {
  const message = 'the Windows volume was in use when it was backed up';
  return policy.acceptDirty
    ? finding({
        code: 'GUEST_FILE_SYSTEM_DIRTY',
        severity: 'warning',
        subject: 'guest',
        message,
        evidence,
        action: 'None: it is allowed. What its own log still holds is dropped.',
      })
    : finding({
        code: 'PLAN_GUEST_UNSUPPORTED',
        severity: 'blocked',
        subject: 'guest',
        message,
        evidence,
        action:
          'Back the VM up when it is shut down, or allow it by --accept-dirty (accept_dirty of the policy): what its own log still holds is dropped.',
      });
}

/** Drivers that Windows ships: set to start at boot where they do not. */
function bootServiceFindings(facts: WindowsFacts, needs: WindowsNeeds): readonly Finding[] {
  return needs.bootServices.flatMap((group): readonly Finding[] => {
    const usable = usableServices(facts, group);
    if (usable.length === 0) {
      const message = `Windows has no service and file for ${group.join(' or ')}, which the target boots with`;
      const action = 'Choose another disk bus or target.';
      return [
        finding({
          code: 'GUEST_DRIVER_PACKAGE_MISSING',
          severity: 'blocked',
          subject: 'guest',
          message,
          action,
        }),
      ];
    }
    const off = usable.filter((name) =>
      facts.controlSets.some((set) => {
        const service = windowsService(set, name);
        return service !== null && (service.start !== 0 || service.startOverride);
      }),
    );
    return findingIf(off.length > 0, {
      code: 'GUEST_BOOT_DRIVER_DISABLED',
      severity: 'fixed',
      subject: 'guest',
      message: `the driver ${off.join(', ')} does not start at boot in every control set`,
      action: 'It is set to start at boot.',
    });
  });
}

/** Why the agent has no driver for a device; null = some package of it names the device. */
function lackOfDrivers(
  { windowsDrivers: drivers }: AgentSources,
  hardwareIds: readonly string[],
): string | null {
  if (drivers === null) return 'no drivers are configured';
  if (drivers.problem !== null) return `the configured drivers cannot be read: ${drivers.problem}`;
  const known = new Set(drivers.devices.map((device) => device.toUpperCase()));
  if (hardwareIds.some((id) => known.has(id.toUpperCase()))) return null;
  return `none of the ${drivers.packages} configured driver packages is for it`;
}

function driverFindings(facts: WindowsFacts, needs: WindowsNeeds, sources: AgentSources): readonly Finding[] {
  const { agentId } = sources;
  return driversToBring(facts, needs).map(({ about, hardwareIds, bootCritical }) => {
    const lack = lackOfDrivers(sources, hardwareIds);
    const evidence = hardwareIds.join(', ');
    if (lack === null) {
      return finding({
        code: 'PLAN_DRIVER_INJECTED',
        severity: 'fixed',
        subject: 'guest',
        message: `Windows has no driver for ${about}`,
        evidence,
        action: `The package of agent ${agentId} that is closest to this Windows is put in place${bootCritical ? ' and started at boot' : '; the first boot installs it'}.`,
      });
    }
    return finding({
      code: 'GUEST_DRIVER_PACKAGE_MISSING',
      severity: bootCritical ? 'blocked' : 'warning',
      subject: 'guest',
      message: `Windows has no driver for ${about}, and ${lack}`,
      evidence,
      action: `Set ASCEND_AGENT_WINDOWS_DRIVERS on agent ${agentId} to a driver folder or a virtio-win image, or give --windows-drivers to a local command.`,
    });
  });
}

function otherFindings(
  { guest, needs, policy }: WindowsRuleParams,
  facts: WindowsFacts,
  windowsNeeds: WindowsNeeds,
): readonly Finding[] {
  const set = bootControlSet(facts);
  const foreign = windowsNeeds.disabledServices.filter((name) => {
    const service = set === null ? null : windowsService(set, name);
    return service !== null && service.start !== 4;
  });
  const statics = facts.interfaces.flatMap(({ addresses }) => addresses);
  const { esp } = facts;
  const lacksFallback = esp !== undefined && esp !== null && esp.bootManager && !esp.fallback;
  const subject = 'guest';
  return [
    ...findingIf(foreign.length > 0, {
      code: 'GUEST_SOURCE_TOOLS_PRESENT',
      severity: 'fixed',
      subject,
      message: `${foreign.length} services of the source platform would run on the target`,
      evidence: foreign.join(', '),
      action: 'They are disabled.',
    }),
    ...findingIf(statics.length > 0 && needs.networkIdentity === 'pin-by-mac', {
      code: 'GUEST_NIC_NAME_UNSTABLE',
      severity: 'fixed',
      subject,
      message: 'static addresses would stay with network cards that are gone',
      evidence: statics.join(', '),
      action: 'The first boot gives them to the cards of the target, where it is known which.',
    }),
    ...findingIf(lacksFallback, {
      code: 'GUEST_EFI_FALLBACK_ABSENT',
      severity: 'fixed',
      subject,
      message: 'the EFI system partition has no fallback boot program',
      evidence: guest.arch ?? '',
      action: 'The boot loader of Windows is copied there.',
    }),
    ...findingIf(policy.firstBootScript !== null, {
      code: 'GUEST_FIRST_BOOT_SCRIPT',
      severity: 'warning',
      subject,
      message: 'a script of the operator runs in Linux guests alone; it is left out',
      action: 'Run it after the restore.',
    }),
  ];
}

/**
 * What will be done to a Windows guest, from facts alone: the same decisions as the agent takes, but for which driver package
 * is closest, which only the agent can see.
 */
export function windowsFindings(params: WindowsRuleParams): readonly Finding[] {
  const { guest, needs, agent, evidence } = params;
  const { windows } = guest;
  const blocked = (message: string): readonly Finding[] => [
    finding({ code: 'PLAN_GUEST_UNSUPPORTED', severity: 'blocked', subject: 'guest', message, evidence }),
  ];
  if (windows === undefined || needs.windows === undefined)
    return blocked('it is not known what the windows guest needs on this hardware');
  const reason = obstacle(windows);
  if (reason !== null) return blocked(reason);
  const inUse = isInUse(windows) ? [inUseFinding(params)] : [];
  if (inUse.some(({ severity }) => severity === 'blocked')) return inUse;
  return [
    ...inUse,
    ...bootServiceFindings(windows, needs.windows),
    ...driverFindings(windows, needs.windows, sourcesOf(agent)),
    ...otherFindings(params, windows, needs.windows),
  ];
}
