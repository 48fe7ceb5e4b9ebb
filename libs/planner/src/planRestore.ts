import type {
  Finding,
  GuestNeeds,
  PlannedDisk,
  PlannedNic,
  RestorePlan,
  RestorePolicy,
  VmSpec,
} from '@ascend/domain';
import { estimate, scratchBytes } from './estimate.ts';
import { finding, type Chosen } from './finding.ts';
import { inputsHash, planInputs } from './inputs.ts';
import type { PlanParams } from './params.ts';
import { fillPolicy } from './policy.ts';
import { chooseDisks, type SourceDisks } from './rules/backup.ts';
import { planBoot, type BootPlan } from './rules/boot.ts';
import { chooseCompute, type Compute } from './rules/compute.ts';
import { planDisks } from './rules/disks.ts';
import { checkExecutor } from './rules/executor.ts';
import { checkArchitecture, checkDevices, chooseFeatures, type Features } from './rules/features.ts';
import { chooseFirmware, type FirmwareChoice } from './rules/firmware.ts';
import { checkGuest } from './rules/guest.ts';
import { chooseHardware } from './rules/hardware.ts';
import { chooseName } from './rules/name.ts';
import { planNics } from './rules/nics.ts';
import { placeWork, type Placement } from './rules/placement.ts';
import { planSteps } from './steps.ts';

function shapeFindings(params: PlanParams): readonly Finding[] {
  if (params.platform.capabilities.importShape === 'disks-then-vm') return [];
  return [
    finding({
      code: 'PLAN_IMPORT_UNSUPPORTED',
      severity: 'blocked',
      subject: 'target',
      message: `target ${params.target.name} takes disks only together with the VM`,
    }),
  ];
}

interface Decisions {
  readonly policy: RestorePolicy;
  readonly source: SourceDisks;
  readonly name: Chosen<string>;
  readonly compute: Chosen<Compute>;
  readonly firmware: Chosen<FirmwareChoice>;
  readonly features: Chosen<Features>;
  readonly disks: Chosen<readonly PlannedDisk[]>;
  readonly hardware: Chosen<GuestNeeds>;
  readonly nics: Chosen<readonly PlannedNic[]>;
  readonly scratch: number;
  readonly placement: Chosen<Placement>;
  readonly boot: Chosen<BootPlan>;
}

function decideAll(params: PlanParams): Decisions {
  const wishes = fillPolicy(params.request.policy, params.restorePoint);
  const name = chooseName(params, wishes);
  // The plan's policy names what was decided, so that planning again from it gives the same inputs.
  const policy = { ...wishes, vmName: name.value };
  const source = chooseDisks(params, policy);
  const scratch = scratchBytes({
    prepareGuest: policy.prepareGuest,
    bootTest: policy.bootTest,
    kernelCount: params.facts.guest.kernels.length,
  });
  const placement = placeWork(params, policy, scratch);
  const chosen = chooseFirmware(params, policy);
  const { firmware } = chosen.value;
  const disks = planDisks(params, policy, { source, firmware });
  const hardware = chooseHardware(params, firmware, disks.value);
  return {
    policy,
    source,
    name,
    compute: chooseCompute(params, policy),
    firmware: chosen,
    features: chooseFeatures(params, chosen.value),
    disks,
    hardware,
    nics: planNics(params, policy, hardware.value),
    scratch,
    placement,
    boot: planBoot(params, policy, placement.value.sourceAgent),
  };
}

/** The VM as it shall be on the target: words of the target for buses, models and networks. */
function targetVm(params: PlanParams, decided: Decisions): VmSpec {
  const spec = params.vmSpec;
  const keyOf = (diskIndex: number): number | null =>
    decided.source.disks.reduce<number | null>(
      (key, { disk }) => (disk.diskIndex === diskIndex ? disk.vmwareDiskKey : key),
      null,
    );
  return {
    name: decided.name.value,
    ...decided.compute.value,
    firmware: decided.firmware.value.firmware,
    ...decided.features.value,
    disks: decided.disks.value.map((disk) => ({
      diskIndex: disk.diskIndex,
      sizeBytes: disk.targetSizeBytes,
      bus: disk.bus,
      bootOrder: disk.boot ? 1 : null,
      vmwareDiskKey: keyOf(disk.diskIndex),
    })),
    nics: decided.nics.value.map((nic) => ({
      nicIndex: nic.nicIndex,
      mac: nic.mac,
      network: nic.network,
      model: nic.model,
      addresses: nic.addresses,
    })),
    osId: spec?.osId ?? null,
    notes: spec?.notes ?? null,
    tags: spec?.tags ?? {},
  };
}

/** The source holds every analysed disk, excluded ones too: the fingerprint is over all of them. */
function plannedSource(params: PlanParams, decided: Decisions): RestorePlan['source'] {
  const known = new Map(params.facts.disks.map((facts) => [facts.diskIndex, facts]));
  return {
    repositoryId: params.restorePoint.repositoryId,
    agentId: decided.placement.value.sourceAgentId,
    rootPath: decided.placement.value.rootPath,
    platform: params.restorePoint.sourcePlatform,
    fingerprint: params.facts.fingerprint,
    disks: params.restorePoint.disks
      .toSorted((a, b) => a.diskIndex - b.diskIndex)
      .flatMap((disk) => {
        const facts = known.get(disk.diskIndex);
        if (facts === undefined) return [];
        const { virtualSizeBytes, allocatedBytes } = facts;
        const relPath = facts.layers[0]?.relPath ?? disk.path;
        return [
          { diskIndex: disk.diskIndex, relPath, format: disk.format, virtualSizeBytes, allocatedBytes },
        ];
      }),
  };
}

function allFindings(params: PlanParams, decided: Decisions): readonly Finding[] {
  return [
    ...decided.source.findings,
    ...shapeFindings(params),
    ...decided.name.findings,
    ...decided.compute.findings,
    ...decided.firmware.findings,
    ...decided.features.findings,
    ...checkArchitecture(params).findings,
    ...checkDevices(params).findings,
    ...decided.disks.findings,
    ...decided.hardware.findings,
    ...decided.nics.findings,
    ...checkGuest(params, decided.policy, {
      needs: decided.hardware.value,
      agent: decided.placement.value.sourceAgent,
    }),
    ...checkExecutor(params, decided.policy, decided.placement.value.sourceAgent),
    ...decided.placement.findings,
    ...decided.boot.findings,
  ];
}

function plannedInputs(params: PlanParams, decided: Decisions): RestorePlan['inputs'] {
  return planInputs(params, decided.policy, {
    name: decided.name.value,
    compute: decided.compute.value,
    placement: decided.placement.value,
  });
}

/**
 * Makes the plan of a restore. Always returns one: what stands in the way is a finding, and `isBlocked(plan.findings)` says
 * that it must not start. Pure: the same parameters give the same bytes, whatever the order of agents or inventory.
 */
export function planRestore(params: PlanParams): RestorePlan {
  const decided = decideAll(params);
  const { policy } = decided;
  const { targetId, name, platform } = params.target;
  const placement = decided.placement.value;
  const disks = decided.disks.value;
  const inputs = plannedInputs(params, decided);
  const steps = planSteps({
    policy,
    bootTest: decided.boot.value.bootTest,
    placement,
    disks,
    preparedDisks: decided.source.preparedDisks,
  });
  return {
    planVersion: 1,
    planId: params.planId,
    createdAt: params.now,
    backupId: params.restorePoint.backupId,
    sourceVmName: params.restorePoint.vmName,
    inputsHash: inputsHash(inputs),
    inputs,
    policy,
    source: plannedSource(params, decided),
    target: { targetId, platform, name, agentId: placement.targetAgentId },
    vm: targetVm(params, decided),
    firmware: decided.firmware.value.firmware,
    ...(decided.firmware.value.converts ? { convertsFirmware: true } : {}),
    disks,
    nics: decided.nics.value,
    steps,
    findings: allFindings(params, decided),
    estimate: estimate({
      steps,
      disks,
      boot: decided.boot.value,
      scratchBytes: decided.scratch,
      bandwidthBytesPerSecond: policy.bandwidthBytesPerSecond,
      history: params.history ?? null,
    }),
  };
}
