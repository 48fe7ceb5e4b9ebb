import type { Finding, RestorePolicy } from '@ascend/domain';
import { findingIf, showBytes, type Chosen } from '../finding.ts';
import type { PlanParams } from '../params.ts';

/** CPUs and memory of the new VM. */
export interface Compute {
  readonly cpuCount: number;
  readonly coresPerSocket: number | null;
  readonly memoryBytes: number;
}

/** Used when nothing tells what the VM had: enough for a server to boot, small enough for every target. */
const fallback = { cpuCount: 2, memoryBytes: 2 * 1024 ** 3 };

function fitFindings(params: PlanParams, policy: RestorePolicy, compute: Compute): readonly Finding[] {
  const { cpuCount, memoryBytes } = params.targetFacts;
  return [
    ...findingIf(cpuCount > 0 && compute.cpuCount > cpuCount, {
      code: 'PLAN_CPU_EXCEEDS_TARGET',
      severity: 'warning',
      subject: 'target',
      message: `the VM has ${compute.cpuCount} CPUs, the target ${cpuCount}`,
    }),
    ...findingIf(memoryBytes > 0 && compute.memoryBytes > memoryBytes, {
      code: 'PLAN_MEMORY_EXCEEDS_TARGET',
      severity: policy.powerOn ? 'blocked' : 'warning',
      subject: 'target',
      message: `the VM needs ${showBytes(compute.memoryBytes)} of memory, the target has ${showBytes(memoryBytes)}`,
    }),
  ];
}

/** CPUs and memory: policy, else specification, else a fallback; checked against the target (0 there means it does not say). */
export function chooseCompute(params: PlanParams, policy: RestorePolicy): Chosen<Compute> {
  const had = params.vmSpec ?? { ...fallback, coresPerSocket: null };
  const cpuCount = policy.cpuCount ?? had.cpuCount;
  const memoryBytes = policy.memoryBytes ?? had.memoryBytes;
  const cores = had.coresPerSocket;
  const guessed = params.vmSpec === null && (policy.cpuCount === null || policy.memoryBytes === null);
  const value = {
    cpuCount,
    coresPerSocket: cores !== null && cpuCount % cores === 0 ? cores : null,
    memoryBytes,
  };
  return {
    value,
    findings: [
      ...findingIf(guessed, {
        code: 'PLAN_SPEC_MISSING',
        severity: 'warning',
        subject: 'backup',
        message: `the VM gets ${cpuCount} CPUs and ${showBytes(memoryBytes)} of memory by default`,
      }),
      ...fitFindings(params, policy, value),
    ],
  };
}
