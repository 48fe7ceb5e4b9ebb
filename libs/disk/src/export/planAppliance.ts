import path from 'node:path';
import type { VmSpec } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { describeVm } from '../ova/describeVm.ts';
import { checkVmDescription, type VmDescription } from '../ova/vmDescription.ts';
import { exportFiles, type ExportFiles } from './exportFiles.ts';
import { planExport, type ExportPlan, type PlanExportParams } from './planExport.ts';

/** What to pack, and how. */
export interface PlanApplianceParams extends Omit<
  PlanExportParams,
  'file' | 'format' | 'makeFolder' | 'confirmEveryMs'
> {
  /** The top file of each disk's chain, in the order of the VM's disks. */
  readonly chains: readonly string[];
  readonly spec: VmSpec;
}

/** An appliance that can be written: everything that can be known before is known. */
export interface AppliancePlan {
  readonly vm: VmDescription;
  /** In order; each becomes a streamOptimized VMDK inside the archive. */
  readonly disks: readonly ExportPlan[];
  readonly files: ExportFiles;
  readonly resume: boolean;
  readonly remarks: readonly string[];
  /** Space that the archive takes at most. */
  readonly atMostBytes: number;
  readonly freeBytes: number;
}

const mib = 1024 * 1024;
// Descriptor, manifest, headers and padding.
const frameBytes = mib;

/**
 * Opens and surveys all disks of a VM and describes it. Reads only.
 *
 * @throws {AppError} DISK_OVF_INVALID; DISK_TARGET_UNSUPPORTED - qemu-img cannot write into an archive; and as `planExport`
 */
export async function planAppliance(params: PlanApplianceParams): Promise<AppliancePlan> {
  const { chains, spec, ...common } = params;
  if (params.engine === 'qemu-img') {
    throw new AppError({
      code: 'DISK_TARGET_UNSUPPORTED',
      message: 'plan appliance: qemu-img cannot write into an archive',
    });
  }
  const disks: ExportPlan[] = [];
  for (const file of chains) {
    const plan = { ...common, file, format: 'vmdk-stream', makeFolder: false, resume: false } as const;
    disks.push(await planExport(plan));
  }
  const { vm, remarks } = describeVm(
    spec,
    disks.map(({ survey }) => survey.sizeBytes),
  );
  checkVmDescription(vm);
  return {
    vm,
    disks,
    files: exportFiles(path.resolve(params.finalPath)),
    resume: params.resume,
    remarks: [...disks.flatMap(({ image }) => image.chain.remarks), ...remarks],
    atMostBytes: disks.reduce((sum, { estimate }) => sum + estimate.bytesToWrite.atMostBytes, frameBytes),
    freeBytes: Math.min(...disks.map(({ freeBytes }) => freeBytes)),
  };
}
