import {
  applianceReasons,
  chooseExecutor,
  lockedVolumes,
  type AgentView,
  type ExecutorPolicy,
  type Finding,
  type RestorePolicy,
} from '@ascend/domain';
import { finding } from '../finding.ts';
import type { PlanParams } from '../params.ts';

/** Guests of Windows are prepared by the host alone. */
function windowsFindings(policy: ExecutorPolicy | undefined): readonly Finding[] {
  if (policy !== 'appliance') return [];
  return [
    finding({
      code: 'GUEST_EXECUTOR_UNAVAILABLE',
      severity: 'blocked',
      subject: 'guest',
      message: 'a Windows guest is prepared by the sandbox of the host alone, and the appliance is asked for',
      action: 'Choose the executor auto or host.',
    }),
  ];
}

function lockedFindings(uuids: readonly string[]): readonly Finding[] {
  return uuids.map((uuid) =>
    finding({
      code: 'GUEST_ENCRYPTED',
      severity: 'blocked',
      subject: 'guest',
      message: `a volume of the guest is encrypted (LUKS ${uuid}), and no key has opened it`,
      action: `Put its key into the key folder of the agent as ${uuid}.key, or give it with --key to a local restore.`,
    }),
  );
}

function applianceFindings(problem: string | null, reason: string): readonly Finding[] {
  if (problem !== null) {
    return [
      finding({
        code: 'GUEST_EXECUTOR_UNAVAILABLE',
        severity: 'blocked',
        subject: 'guest',
        message: `the guest needs the appliance, which does not work: ${problem}`,
        evidence: reason,
      }),
    ];
  }
  return [
    finding({
      code: 'GUEST_EXECUTOR_CHOSEN',
      severity: 'ok',
      subject: 'guest',
      message: 'the guest is prepared by the appliance',
      evidence: reason,
    }),
  ];
}

/** Who prepares the guest, can that be done on the agent that reads the backup, and are the keys there? */
export function checkExecutor(
  params: PlanParams,
  policy: RestorePolicy,
  agent: AgentView | null,
): readonly Finding[] {
  const { guest } = params.facts;
  const { executor } = policy;
  if (!policy.prepareGuest || guest.family === 'unknown') return [];
  if (guest.family === 'windows') return windowsFindings(executor);
  if (guest.root === null) return lockedFindings(lockedVolumes(guest));
  const { kind, reason } = chooseExecutor(guest, executor);
  if (kind === 'appliance') {
    const installed = agent === null || agent.capabilities.libguestfsVersion !== null;
    const missing = installed ? null : `agent ${agent.agentId} has no libguestfs`;
    return applianceFindings(guest.applianceProblem ?? missing, reason);
  }
  return applianceReasons(guest).map(({ mountPoint, volume, reason: why }) =>
    finding({
      code: 'GUEST_LAYOUT_UNSUPPORTED',
      severity: 'blocked',
      subject: 'guest',
      message: `${mountPoint} can be mounted by the appliance alone, and the host executor is asked for`,
      evidence: `${volume}: ${why}`,
      action: 'Choose the executor auto or appliance.',
    }),
  );
}
