import {
  platformIds,
  stepKey,
  type EvidenceRung,
  type PlannedDisk,
  type PlannedNic,
  type PlannedResource,
  type PlanStep,
  type RestorePlan,
  type StepKind,
  type VmSpec,
} from '@ascend/domain';
import { fingerprintOf, openChain } from '@ascend/disk';

/** What a sample plan is made of. */
export interface PlanParams {
  readonly rootPath: string;
  /** Disk index → path of its restore point, relative to the root. */
  readonly disks: Readonly<Record<number, string>>;
  readonly prepareGuest?: boolean;
  readonly bootTest?: boolean;
  readonly evidence?: EvidenceRung;
  readonly serialMarker?: string;
  readonly bootTimeoutMs?: number;
  readonly vmName?: string;
  readonly memoryBytes?: number;
  readonly bandwidthBytesPerSecond?: number;
  readonly storage?: string;
  readonly network?: string;
  readonly nics?: readonly Pick<PlannedNic, 'mac' | 'guestName' | 'addresses'>[];
  readonly addressRules?: RestorePlan['policy']['addressRules'];
  readonly firstBootScript?: string;
  readonly acceptDirty?: boolean;
}

function planSteps(params: PlanParams, disks: readonly PlannedDisk[]): readonly PlanStep[] {
  const steps: PlanStep[] = [];
  let last: readonly string[] = [];
  let undoOrder = 0;
  const add = (
    kind: StepKind,
    resources: readonly (readonly [string, PlannedResource['kind']])[],
    diskIndex?: number,
  ): void => {
    steps.push({
      key: stepKey(kind, diskIndex),
      kind,
      diskIndex: diskIndex ?? null,
      agentId: 'agent-1',
      dependsOn: last,
      bytes: 0,
      concurrencyKeys: [],
      resources: resources.map(([resourceKey, resourceKind]) => {
        undoOrder += 1;
        return { resourceKey, kind: resourceKind, undoOrder };
      }),
    });
  };
  const then = (kind: StepKind, ...resources: (readonly [string, PlannedResource['kind']])[]): void => {
    add(kind, resources);
    last = [stepKey(kind)];
  };
  then('analyze-source');
  then('validate-target');
  if (params.prepareGuest === true) then('prepare-guest', ['overlay:0', 'overlay']);
  if (params.bootTest === true) then('boot-test');
  for (const disk of disks) add('transfer-disk', [['disk', 'disk']], disk.diskIndex);
  last = disks.map((disk) => stepKey('transfer-disk', disk.diskIndex));
  then('create-vm', ['vm', 'vm']);
  then('start-and-verify');
  then('configure-vm');
  then('finalize');
  return steps;
}

function toVm(params: PlanParams, disks: readonly PlannedDisk[], nics: readonly PlannedNic[]): VmSpec {
  return {
    name: params.vmName ?? 'restored',
    cpuCount: 1,
    coresPerSocket: null,
    memoryBytes: params.memoryBytes ?? 256 * 1024 * 1024,
    firmware: 'bios',
    secureBoot: false,
    tpm: false,
    disks: disks.map((disk) => ({
      diskIndex: disk.diskIndex,
      sizeBytes: disk.targetSizeBytes,
      bus: disk.bus,
      bootOrder: disk.boot ? 1 : null,
      vmwareDiskKey: null,
    })),
    nics: nics.map(({ nicIndex, mac, network, model, addresses }) => ({
      nicIndex,
      mac,
      network,
      model,
      addresses,
    })),
    osId: null,
    notes: null,
    tags: {},
  };
}

function toPolicy(params: PlanParams): RestorePlan['policy'] {
  return {
    vmName: params.vmName ?? 'restored',
    prepareGuest: params.prepareGuest ?? false,
    bootTest: params.bootTest ?? false,
    powerOn: true,
    evidence: params.evidence ?? 'serial-marker',
    serialMarker: params.serialMarker ?? 'READY',
    bootTimeoutMs: params.bootTimeoutMs ?? 60_000,
    excludeDisks: [],
    networkMap: {},
    storage: null,
    macs: {},
    cpuCount: null,
    memoryBytes: null,
    bandwidthBytesPerSecond: params.bandwidthBytesPerSecond ?? null,
    addressRules: params.addressRules ?? [],
    firstBootScript: params.firstBootScript ?? null,
    acceptDirty: params.acceptDirty ?? false,
    executor: 'auto',
  };
}

async function openDisks(params: PlanParams) {
  return Promise.all(
    Object.entries(params.disks).map(async ([index, relPath]) => ({
      diskIndex: Number(index),
      relPath,
      chain: await openChain({ rootPath: params.rootPath, path: relPath, format: 'qcow2' }),
    })),
  );
}

/** A whole plan for the chains that lie in a folder now, as the planner would make it, for one target in memory or local. */
export async function makePlan(params: PlanParams): Promise<RestorePlan> {
  const opened = await openDisks(params);
  const disks = opened.map(({ diskIndex, chain }): PlannedDisk => ({
    diskIndex,
    targetSizeBytes: chain.virtualSizeBytes,
    bytesToMove: chain.layers.reduce((sum, layer) => sum + layer.fileSizeBytes, 0),
    bus: 'virtio-blk',
    storage: params.storage ?? 'fast',
    boot: diskIndex === 0,
  }));
  const nics = (params.nics ?? []).map((nic, nicIndex): PlannedNic => ({
    mac: nic.mac,
    guestName: nic.guestName,
    addresses: nic.addresses,
    nicIndex,
    model: 'virtio-net-pci',
    network: params.network ?? 'lan',
    rule: 'keep-mac-and-address',
  }));
  const policy = toPolicy(params);
  return {
    planVersion: 1,
    planId: 'plan-1',
    createdAt: '2026-11-21T00:00:00Z',
    backupId: 'backup-1',
    sourceVmName: 'source',
    inputsHash: '',
    inputs: {},
    policy,
    source: {
      repositoryId: 'repository-1',
      agentId: 'agent-1',
      rootPath: params.rootPath,
      platform: 'unknown',
      fingerprint: fingerprintOf(opened.map(({ diskIndex, chain }) => ({ diskIndex, layers: chain.layers }))),
      disks: opened.map(({ diskIndex, relPath, chain }) => ({
        diskIndex,
        relPath,
        format: 'qcow2',
        virtualSizeBytes: chain.virtualSizeBytes,
        allocatedBytes: chain.virtualSizeBytes,
      })),
    },
    target: { targetId: 'target-1', platform: platformIds[0], name: 'target', agentId: 'agent-1' },
    vm: toVm(params, disks, nics),
    firmware: 'bios',
    disks,
    nics,
    steps: planSteps(params, disks),
    findings: [],
    estimate: { bytesToMove: 0, scratchBytes: 0, durationP50Ms: 1000, durationP90Ms: 2000 },
  };
}
