import { stepKey, type BootReport, type Finding, type RestorePlan } from '@ascend/domain';
import type { z } from 'zod';
import { analyzeSourceOutputSchema } from '../analyzeSource/output.ts';
import { bootOutputSchema } from '../bootTest/output.ts';
import { configureVmOutputSchema } from '../configureVm/output.ts';
import { createVmOutputSchema } from '../createVm/output.ts';
import { prepareGuestOutputSchema, type PrepareGuestOutput } from '../prepareGuest/output.ts';
import { findOutput } from '../priorOutput.ts';
import type { StepOperation } from '../stepHandler.ts';
import type { StepTiming } from '../timing.ts';
import { transferDiskOutputSchema } from '../transferDisk/output.ts';
import { validateTargetOutputSchema } from '../validateTarget/output.ts';

/** One disk: what was planned and what moving it took. */
export interface ReportedDisk {
  readonly diskIndex: number;
  readonly relPath: string;
  readonly sizeBytes: number;
  readonly plannedBytes: number;
  readonly copiedBytes: number;
  readonly skippedBytes: number;
  readonly sha256: string | null;
  readonly resumedFromBytes: number;
  readonly readBack: boolean;
  readonly durationMs: number;
}

/** The record of one restore: planned against measured, with all evidence. JSON; kept with the job for good. */
export interface RestoreReport {
  readonly reportVersion: 1;
  readonly jobId: string;
  readonly planId: string;
  readonly backupId: string;
  readonly sourceVmName: string;
  readonly vmName: string;
  readonly vmId: string | null;
  readonly target: string;
  readonly fingerprint: string;
  /** Was the restore point the same at the end as in the plan? */
  readonly sourceUnchanged: boolean;
  readonly disks: readonly ReportedDisk[];
  readonly nics: readonly {
    readonly mac: string | null;
    readonly network: string;
    readonly addresses: readonly string[];
  }[];
  readonly guest: Pick<PrepareGuestOutput, 'system' | 'diff'> | null;
  readonly rehearsal: BootReport | null;
  readonly boot: BootReport | null;
  readonly findings: readonly Finding[];
  readonly steps: readonly { readonly key: string; readonly durationMs: number }[];
  readonly plannedDurationMs: { readonly p50: number; readonly p90: number };
  readonly measuredDurationMs: number;
}

function durationOf(timing: StepTiming | null): number {
  return timing === null ? 0 : timing.endedAtMs - timing.startedAtMs;
}

interface Outputs {
  readonly byKey: ReadonlyMap<string, StepTiming>;
  read<T extends StepTiming>(key: string, schema: z.ZodType<T>): T | null;
}

function collect(operation: StepOperation): Outputs {
  const byKey = new Map<string, StepTiming>();
  return {
    byKey,
    read: (key, schema) => {
      const output = findOutput(operation, key, schema);
      if (output !== null) byKey.set(key, output);
      return output;
    },
  };
}

function reportDisk(
  plan: RestorePlan,
  outputs: Outputs,
  planned: RestorePlan['disks'][number],
): ReportedDisk {
  const output = outputs.read(stepKey('transfer-disk', planned.diskIndex), transferDiskOutputSchema);
  const source = plan.source.disks.find((disk) => disk.diskIndex === planned.diskIndex);
  return {
    diskIndex: planned.diskIndex,
    relPath: source?.relPath ?? '',
    sizeBytes: planned.targetSizeBytes,
    plannedBytes: planned.bytesToMove,
    copiedBytes: output?.bytesCopied ?? 0,
    skippedBytes: output?.bytesSkipped ?? 0,
    sha256: output?.sha256 ?? null,
    resumedFromBytes: output?.resumedFromBytes ?? 0,
    readBack: output?.readBack ?? false,
    durationMs: durationOf(output),
  };
}

function measured(outputs: Outputs, nowMs: number): number {
  const starts = [...outputs.byKey.values()].map((timing) => timing.startedAtMs);
  return starts.length === 0 ? 0 : nowMs - Math.min(...starts);
}

/** Puts the report together from the plan and the outputs of all steps. */
export function buildReport(params: {
  readonly operation: StepOperation;
  readonly sourceUnchanged: boolean;
  readonly nowMs: number;
}): RestoreReport {
  const { operation } = params;
  const { plan } = operation;
  const outputs = collect(operation);
  outputs.read('analyze-source', analyzeSourceOutputSchema);
  const checked = outputs.read('validate-target', validateTargetOutputSchema);
  const guest = outputs.read('prepare-guest', prepareGuestOutputSchema);
  const rehearsal = outputs.read('boot-test', bootOutputSchema);
  const disks = plan.disks.map((planned) => reportDisk(plan, outputs, planned));
  const created = outputs.read('create-vm', createVmOutputSchema);
  const started = outputs.read('start-and-verify', bootOutputSchema);
  const configured = outputs.read('configure-vm', configureVmOutputSchema);
  return {
    reportVersion: 1,
    jobId: operation.jobId,
    planId: plan.planId,
    backupId: plan.backupId,
    sourceVmName: plan.sourceVmName,
    vmName: plan.vm.name,
    vmId: created?.vm.id ?? null,
    target: plan.target.name,
    fingerprint: plan.source.fingerprint,
    sourceUnchanged: params.sourceUnchanged,
    disks,
    nics: plan.nics.map(({ mac, network, addresses }) => ({ mac, network, addresses })),
    guest: guest === null ? null : { system: guest.system, diff: guest.diff },
    rehearsal: rehearsal?.report ?? null,
    boot: started?.report ?? null,
    findings: [
      ...plan.findings,
      ...(checked?.findings ?? []),
      ...(guest?.findings ?? []),
      ...(configured?.findings ?? []),
    ],
    steps: plan.steps.flatMap((step) => {
      const timing = outputs.byKey.get(step.key);
      return timing === undefined ? [] : [{ key: step.key, durationMs: durationOf(timing) }];
    }),
    plannedDurationMs: { p50: plan.estimate.durationP50Ms, p90: plan.estimate.durationP90Ms },
    measuredDurationMs: measured(outputs, params.nowMs),
  };
}
