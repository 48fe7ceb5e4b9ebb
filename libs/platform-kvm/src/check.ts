import type { Finding, TargetFacts } from '@ascend/domain';
import { codeRow } from '@ascend/errors';
import { checkFit, type TargetCheckParams } from '@ascend/connector';
import { kvmCapabilities } from './data/capabilities.ts';
import type { DiskStore } from './diskStore.ts';
import type { VmStore } from './vmStore.ts';

function slowness(facts: TargetFacts): readonly Finding[] {
  if (facts.acceleration === 'kvm') return [];
  return [
    {
      code: 'TARGET_ACCELERATION_MISSING',
      severity: 'warning',
      subject: 'target',
      message: 'hardware acceleration does not work on this host: the VM runs emulated',
      evidence: `acceleration that was seen to work: ${facts.acceleration}`,
      action: codeRow('TARGET_ACCELERATION_MISSING').hint,
    },
  ];
}

async function ownBytes(disks: DiskStore, names: readonly string[]): Promise<Record<string, number>> {
  const held: Record<string, number> = {};
  for (const record of await disks.list()) {
    if (!names.includes(record.ownedName)) continue;
    held[record.storage] =
      (held[record.storage] ?? 0) + (await disks.heldBytes(record.storage, record.ownedName));
  }
  return held;
}

/** Would this VM fit here, now? What earlier attempts of the same job hold counts as ours, not as taken. */
export async function checkTarget(params: {
  readonly wish: TargetCheckParams;
  readonly facts: TargetFacts;
  readonly vms: VmStore;
  readonly disks: DiskStore;
}): Promise<readonly Finding[]> {
  const { wish, facts } = params;
  const ours = (await params.vms.list()).filter((vm) => wish.ownNames.includes(vm.ownedName));
  const findings = checkFit({
    wish,
    capabilities: kvmCapabilities,
    facts,
    foreignVmNames: facts.vmNames.filter((name) => !ours.some((vm) => vm.name === name)),
    ownBytes: await ownBytes(params.disks, wish.ownNames),
  });
  return [...findings, ...slowness(facts)];
}
