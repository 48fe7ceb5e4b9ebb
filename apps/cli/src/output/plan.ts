import type { ApiPlan } from '@ascend/protocol';
import { formatBytes, formatDuration, formatTable } from './format.ts';
import { formatFindings } from './findings.ts';

/** A plan as text: what, where, disks, NICs, steps, findings, how long. */
export function formatPlan(plan: ApiPlan): string {
  const disks = plan.disks.map((disk) => [
    String(disk.disk_index),
    formatBytes(disk.target_size_bytes),
    formatBytes(disk.bytes_to_move),
    disk.bus,
    disk.storage,
    disk.boot ? 'boot' : '',
  ]);
  const nics = plan.nics.map((nic) => [
    String(nic.nic_index),
    nic.mac ?? 'given by the platform',
    nic.model,
    nic.network,
    nic.addresses.join(' ') || '-',
    nic.rule,
  ]);
  const blocked = plan.findings.some((finding) => finding.severity === 'blocked');
  const { estimate } = plan;
  return [
    `plan ${plan.plan_id}: ${plan.source_vm_name} from ${plan.backup_id} as ${plan.vm.name} on ${plan.target.name}`,
    `${plan.vm.cpu_count} CPUs, ${formatBytes(plan.vm.memory_bytes)} memory, ${plan.firmware}`,
    '',
    formatTable(['DISK', 'SIZE', 'TO MOVE', 'BUS', 'STORAGE', ''], disks),
    '',
    formatTable(['NIC', 'MAC', 'MODEL', 'NETWORK', 'ADDRESSES', 'RULE'], nics),
    '',
    formatTable(
      ['STEP', 'AGENT', 'AFTER'],
      plan.steps.map((step) => [step.key, step.agent_id, step.depends_on.join(' ') || '-']),
    ),
    '',
    formatFindings(plan.findings),
    '',
    `${formatBytes(estimate.bytes_to_move)} to move, ${formatBytes(estimate.scratch_bytes)} scratch, about ${formatDuration(estimate.duration_p50_ms)} (up to ${formatDuration(estimate.duration_p90_ms)})`,
    blocked ? 'This plan cannot be started: see the findings marked BLOCKED.' : 'Nothing forbids the start.',
  ].join('\n');
}
