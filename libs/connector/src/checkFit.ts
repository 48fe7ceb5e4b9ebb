import type { Finding, PlannedDisk, PlatformCapabilities, TargetFacts, VmSpec } from '@ascend/domain';
import { codeRow, type ErrorCode } from '@ascend/errors';
import type { TargetCheckParams } from './connector.ts';

/** What a fit check compares: the wish, the platform's limits and the target as it is now. */
export interface FitParams {
  readonly wish: Omit<TargetCheckParams, 'signal' | 'ownNames'>;
  readonly capabilities: PlatformCapabilities;
  readonly facts: Pick<TargetFacts, 'storages' | 'networks' | 'cpuCount' | 'memoryBytes'>;
  /** Names of VMs that are not ours. */
  readonly foreignVmNames: readonly string[];
  /** Bytes of each storage that this job's own earlier attempts hold already. */
  readonly ownBytes?: Readonly<Record<string, number>>;
}

interface Problem {
  readonly code: ErrorCode;
  readonly subject: string;
  readonly message: string;
  readonly evidence: string;
  readonly severity?: 'blocked' | 'warning';
}

function finding(problem: Problem): Finding {
  return {
    code: problem.code,
    severity: problem.severity ?? 'blocked',
    subject: problem.subject,
    message: problem.message,
    evidence: problem.evidence,
    action: codeRow(problem.code).hint,
  };
}

function nameProblems(params: FitParams): Problem[] {
  const { name } = params.wish.vm;
  const { capabilities } = params;
  const problems: Problem[] = [];
  if (name.length > capabilities.maxNameLength || !new RegExp(capabilities.namePattern, 'u').test(name)) {
    const message = `VM name of ${name.length} characters does not match ${capabilities.namePattern} with at most ${capabilities.maxNameLength}`;
    problems.push({
      code: 'TARGET_NAME_ILLEGAL',
      subject: 'target',
      message,
      evidence: JSON.stringify(name.slice(0, 255)),
    });
  }
  if (params.foreignVmNames.includes(name)) {
    problems.push({
      code: 'TARGET_NAME_TAKEN',
      subject: 'target',
      message: `a VM named ${name} exists on the target and is not ours`,
      evidence: name,
    });
  }
  return problems;
}

function countProblems(params: FitParams): Problem[] {
  const { capabilities, wish } = params;
  const rows = [
    { what: 'disks', has: wish.disks.length, limit: capabilities.maxDisks },
    { what: 'network cards', has: wish.nics.length, limit: capabilities.maxNics },
  ];
  return rows
    .filter((row) => row.has > row.limit.value)
    .map((row) => ({
      code: 'TARGET_DEVICES_TOO_MANY',
      subject: 'target',
      message: `the VM has ${row.has} ${row.what}, the target allows ${row.limit.value}`,
      evidence: `${row.limit.source}, read ${row.limit.readOn}`,
    }));
}

function diskProblems(params: FitParams): Problem[] {
  const { capabilities, facts, wish } = params;
  const storages = facts.storages.map((storage) => storage.name);
  return wish.disks.flatMap((disk) => {
    const subject = `disk:${disk.diskIndex}`;
    const problems: Problem[] = [];
    if (disk.targetSizeBytes > capabilities.maxDiskBytes.value) {
      problems.push({
        code: 'TARGET_DISK_TOO_LARGE',
        subject,
        message: `disk ${disk.diskIndex} has ${disk.targetSizeBytes} bytes, the target allows ${capabilities.maxDiskBytes.value}`,
        evidence: `${capabilities.maxDiskBytes.source}, read ${capabilities.maxDiskBytes.readOn}`,
      });
    }
    if (!capabilities.diskBuses.includes(disk.bus)) {
      problems.push({
        code: 'TARGET_HARDWARE_UNSUPPORTED',
        subject,
        message: `disk ${disk.diskIndex} wants bus ${disk.bus}`,
        evidence: capabilities.diskBuses.join(', '),
      });
    }
    if (!storages.includes(disk.storage)) {
      problems.push({
        code: 'TARGET_STORAGE_UNKNOWN',
        subject,
        message: `disk ${disk.diskIndex} wants storage ${disk.storage}`,
        evidence: storages.join(', '),
      });
    }
    return problems;
  });
}

function spaceProblems(params: FitParams): Problem[] {
  const wanted = new Map<string, number>();
  for (const disk of params.wish.disks) {
    wanted.set(disk.storage, (wanted.get(disk.storage) ?? 0) + bytesNeeded(disk));
  }
  return params.facts.storages.flatMap((storage) => {
    const needed = Math.max(0, (wanted.get(storage.name) ?? 0) - (params.ownBytes?.[storage.name] ?? 0));
    if (needed <= storage.freeBytes) return [];
    return [
      {
        code: 'TARGET_STORAGE_FULL' as const,
        subject: 'target',
        message: `storage ${storage.name} has ${storage.freeBytes} bytes free, ${needed} are needed`,
        evidence: `${storage.name}: ${storage.freeBytes} of ${storage.totalBytes} bytes free`,
      },
    ];
  });
}

function networkProblems(params: FitParams): Problem[] {
  const { capabilities, facts, wish } = params;
  const networks = facts.networks.map((network) => network.name);
  return wish.nics.flatMap((nic) => {
    const subject = `nic:${nic.nicIndex}`;
    const problems: Problem[] = [];
    if (!networks.includes(nic.network)) {
      problems.push({
        code: 'TARGET_NETWORK_UNKNOWN',
        subject,
        message: `network card ${nic.nicIndex} wants network ${nic.network}`,
        evidence: networks.join(', '),
      });
    }
    if (!capabilities.nicModels.includes(nic.model)) {
      problems.push({
        code: 'TARGET_HARDWARE_UNSUPPORTED',
        subject,
        message: `network card ${nic.nicIndex} wants model ${nic.model}`,
        evidence: capabilities.nicModels.join(', '),
      });
    }
    return problems;
  });
}

function machineProblems(params: FitParams): Problem[] {
  const { capabilities, facts } = params;
  const vm: VmSpec = params.wish.vm;
  const problems: Problem[] = [];
  if (!capabilities.firmware.includes(vm.firmware)) {
    problems.push({
      code: 'TARGET_HARDWARE_UNSUPPORTED',
      subject: 'target',
      message: `the VM wants firmware ${vm.firmware}`,
      evidence: capabilities.firmware.join(', '),
    });
  }
  if (vm.memoryBytes > facts.memoryBytes || vm.cpuCount > facts.cpuCount) {
    problems.push({
      code: 'TARGET_MEMORY_SHORT',
      subject: 'target',
      // More processors than the host has is slow, not wrong; memory that is not there cannot be given.
      severity: vm.memoryBytes > facts.memoryBytes ? 'blocked' : 'warning',
      message: `the VM wants ${vm.cpuCount} processors and ${vm.memoryBytes} bytes of memory`,
      evidence: `the target has ${facts.cpuCount} processors and ${facts.memoryBytes} bytes of memory`,
    });
  }
  return problems;
}

/** The bytes a disk will take on a thin storage: what moves, never more than its size. */
export function bytesNeeded(disk: Pick<PlannedDisk, 'bytesToMove' | 'targetSizeBytes'>): number {
  return Math.min(disk.bytesToMove, disk.targetSizeBytes);
}

/**
 * Compares a planned VM with a platform's limits and a target's live facts. Pure; every connector's `check` begins
 * with it and adds what only its platform knows.
 */
export function checkFit(params: FitParams): readonly Finding[] {
  return [
    ...nameProblems(params),
    ...machineProblems(params),
    ...countProblems(params),
    ...diskProblems(params),
    ...spaceProblems(params),
    ...networkProblems(params),
  ].map(finding);
}
