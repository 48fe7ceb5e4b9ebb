import type { AppliancePlan, ApplianceResult } from '@ascend/disk';
import { formatBytes, formatDuration } from './format.ts';
import { exportPlanJson, formatExportPlans, verifyJson, verifyText } from './localExport.ts';

/** An appliance that was only planned, as JSON. */
export function appliancePlanJson(plan: AppliancePlan): Record<string, unknown> {
  return {
    out: plan.files.finalPath,
    format: 'ova',
    vm: plan.vm.name,
    at_most_bytes: plan.atMostBytes,
    free_bytes: plan.freeBytes,
    fits: plan.atMostBytes <= plan.freeBytes,
    disks: plan.disks.map(exportPlanJson),
    remarks: plan.remarks,
  };
}

/** An appliance that was only planned, as text. */
export function formatAppliancePlan(plan: AppliancePlan): string {
  const { vm, disks, files } = plan;
  const nics = `${vm.nics.length} network ${vm.nics.length === 1 ? 'interface' : 'interfaces'}`;
  return [
    `${files.finalPath}: ${vm.name}, ${vm.cpuCount} CPUs, ${formatBytes(vm.memoryBytes)} of memory, ${vm.firmware}, ${disks.length} disks, ${nics}`,
    ...plan.remarks.map((remark) => `- ${remark}`),
    '',
    formatExportPlans(disks),
  ].join('\n');
}

/** An appliance that was written, as JSON. */
export function applianceResultJson(result: ApplianceResult): Record<string, unknown> {
  return {
    out: result.finalPath,
    format: 'ova',
    file_size_bytes: result.fileSizeBytes,
    allocated_bytes: result.allocatedBytes,
    duration_ms: result.durationMs,
    disks: result.disks.map((disk) => ({
      chain: disk.chain,
      name: disk.name,
      virtual_size_bytes: disk.sizeBytes,
      sha256: disk.sha256,
      bytes_copied: disk.bytesCopied,
      bytes_skipped: disk.bytesSkipped,
      verify: verifyJson(disk.verify),
    })),
    remarks: result.remarks,
  };
}

/** An appliance that was written, as text. */
export function formatApplianceResult(result: ApplianceResult): string {
  return [
    `${result.finalPath}: ova, ${formatBytes(result.fileSizeBytes)}, in ${formatDuration(result.durationMs)}`,
    ...result.disks.flatMap((disk) => [
      `  ${disk.name}: ${formatBytes(disk.sizeBytes)} from ${disk.chain}`,
      `    disk digest ${disk.sha256 ?? 'not computed'}`,
      `    ${verifyText(disk.verify)}`,
    ]),
    ...result.remarks.map((remark) => `  ${remark}`),
  ].join('\n');
}
