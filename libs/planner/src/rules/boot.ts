import type { AgentView, Finding, RestorePolicy, TargetFacts } from '@ascend/domain';
import { findingIf, type Chosen } from '../finding.ts';
import type { PlanParams } from '../params.ts';

/** What runs a guest, as far as it decides how long a boot takes. */
export type BootSpeed = 'hardware' | 'emulation' | 'platform';

/** How guests of this plan are started. */
export interface BootPlan {
  /** Is the rehearsal asked for and possible? */
  readonly bootTest: boolean;
  readonly rehearsalSpeed: BootSpeed;
  readonly targetSpeed: BootSpeed;
}

/** Software emulation of a server guest takes minutes; below this limit a warning says so. */
const slowBootMs = 300_000;

function speedOf(acceleration: TargetFacts['acceleration']): BootSpeed {
  if (acceleration === 'platform') return 'platform';
  return acceleration === 'tcg' || acceleration === 'none' ? 'emulation' : 'hardware';
}

function rehearsalObstacle(params: PlanParams, agent: AgentView | null): string | null {
  if (!params.platform.capabilities.rehearsal) {
    return 'the hardware of the target cannot be imitated for a rehearsal';
  }
  return agent?.capabilities.qemuVersion === null ? `agent ${agent.agentId} has no QEMU` : null;
}

function startFindings(params: PlanParams, policy: RestorePolicy): readonly Finding[] {
  if (!policy.powerOn) return [];
  return [
    ...findingIf(params.targetFacts.acceleration === 'none', {
      code: 'PLAN_TARGET_CANNOT_RUN',
      severity: 'blocked',
      subject: 'target',
      message: `target ${params.target.name} has nothing to run a VM with`,
    }),
    ...findingIf(policy.evidence === 'none', {
      code: 'PLAN_EVIDENCE_NONE',
      severity: 'warning',
      subject: 'target',
      message: 'the VM is started, but nothing has to prove that it boots',
    }),
  ];
}

/** Can the boot be rehearsed, can the target run the VM, and how fast will that be? */
export function planBoot(
  params: PlanParams,
  policy: RestorePolicy,
  agent: AgentView | null,
): Chosen<BootPlan> {
  const obstacle = policy.bootTest ? rehearsalObstacle(params, agent) : null;
  const { acceleration } = params.targetFacts;
  const bootTest = policy.bootTest && obstacle === null;
  const rehearsalSpeed = agent?.capabilities.kvmWorks === true ? 'hardware' : 'emulation';
  const slow = (bootTest && rehearsalSpeed === 'emulation') || (policy.powerOn && acceleration === 'tcg');
  return {
    value: {
      bootTest,
      rehearsalSpeed,
      targetSpeed: speedOf(acceleration),
    },
    findings: [
      ...findingIf(obstacle !== null, {
        code: 'PLAN_BOOT_TEST_IMPOSSIBLE',
        severity: 'warning',
        subject: 'agent',
        message: `no rehearsal of the boot: ${obstacle}`,
      }),
      ...startFindings(params, policy),
      ...findingIf(slow && policy.bootTimeoutMs < slowBootMs, {
        code: 'PLAN_BOOT_SLOW',
        severity: 'warning',
        subject: 'target',
        message: `the guest boots in software emulation with a limit of ${policy.bootTimeoutMs} ms, ${slowBootMs} ms are advised`,
      }),
    ],
  };
}
