import type {
  PlatformData,
  RestorePlan,
  RestorePoint,
  RestorePointFacts,
  RestorePolicy,
  TargetFacts,
  VmSpec,
} from '@ascend/domain';
import { factsVersion, stepKey, type PlanStep, type StepKind } from '@ascend/domain';

const gib = 1024 ** 3;

/** A two-disk restore point for tests. */
export const restorePoint: RestorePoint = {
  backupId: 'backup-1',
  contextId: 'ctx-1',
  vmName: 'pgtest1',
  repositoryId: 'repo-1',
  backupType: 'incremental',
  status: 'completed',
  sourcePlatform: 'unknown',
  createdAt: '2025-10-08T20:07:51.000Z',
  disks: [0, 1].map((diskIndex) => ({
    diskIndex,
    vmwareDiskKey: 2000 + diskIndex,
    sizeGb: 1,
    path: `ctx-1/disk-${diskIndex}/a.qcow2`,
    format: 'qcow2',
    status: 'completed',
  })),
};

/** What analysis says about it. */
export function pointFacts(part: Partial<RestorePointFacts> = {}): RestorePointFacts {
  return {
    backupId: 'backup-1',
    version: factsVersion,
    fingerprint: 'f'.repeat(64),
    disks: [0, 1].map((diskIndex) => ({
      diskIndex,
      virtualSizeBytes: gib,
      allocatedBytes: 10_000_000,
      layers: [
        {
          relPath: `ctx-1/disk-${diskIndex}/a.qcow2`,
          format: 'qcow2' as const,
          fileSizeBytes: 10_000_000,
          mtimeMs: 1,
          headSha256: 'a'.repeat(64),
        },
      ],
    })),
    guest: {
      family: 'linux',
      distribution: 'debian',
      version: '12',
      arch: 'x86_64',
      hostname: 'pgtest1',
      root: { diskIndex: 0, offsetBytes: 1_048_576, sizeBytes: gib - 1_048_576, fileSystem: 'ext4' },
      firmware: 'bios',
      initramfsTool: 'initramfs-tools',
      kernels: [
        {
          version: '6.1.0-1-amd64',
          initramfsPath: '/boot/initrd.img-6.1.0-1-amd64',
          initramfsModules: ['vmw_pvscsi'],
          availableModules: ['vmw_pvscsi', 'virtio_blk', 'virtio_net', 'virtio_pci', 'virtio_scsi'],
        },
      ],
      nics: [
        {
          name: 'ens192',
          mac: '00:50:56:aa:bb:01',
          addresses: ['10.0.2.15/24'],
          configPath: '/etc/network/interfaces',
        },
      ],
      remarks: [],
    },
    analyzedAt: '2026-11-21T06:00:00.000Z',
    ...part,
  };
}

/** What a target says about itself. */
export function targetFacts(part: Partial<TargetFacts> = {}): TargetFacts {
  return {
    targetId: 'target-1',
    apiVersion: '1',
    storages: [{ name: 'default', freeBytes: 500 * gib, totalBytes: 1000 * gib }],
    networks: [{ name: 'user', about: 'user-mode network' }],
    vmNames: [],
    cpuCount: 8,
    memoryBytes: 32 * gib,
    acceleration: 'tcg',
    fetchedAt: '2026-11-21T06:00:00.000Z',
    ...part,
  };
}

const limit = (value: number) => ({ value, source: 'test', readOn: '2026-11-21' });

/** Platform data of the target for tests. */
export const platformData: PlatformData = {
  capabilities: {
    platform: 'kvm',
    firmware: ['bios', 'uefi'],
    maxDisks: limit(64),
    maxDiskBytes: limit(2 ** 50),
    diskRoundingBytes: 512,
    maxNics: limit(8),
    diskBuses: ['virtio-blk'],
    nicModels: ['virtio-net-pci'],
    importShape: 'disks-then-vm',
    resumableTransfer: true,
    maxNameLength: 63,
    namePattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
    secureBoot: false,
    tpm: false,
    architectures: ['x86_64', 'i386', 'i686'],
    ownsMac: false,
    rehearsal: true,
  },
  guestNeeds: [
    {
      id: 'virtio-blk',
      diskBuses: ['virtio-blk'],
      needs: {
        linuxStorageModules: ['virtio_blk'],
        linuxNetworkModules: ['virtio_net'],
        linuxOptionalModules: [],
        serialConsole: 'ttyS0',
        networkIdentity: 'pin-by-mac',
      },
    },
  ],
  dataVersion: '1',
};

/** A VM specification for tests. */
export const vmSpec: VmSpec = {
  name: 'pgtest1',
  cpuCount: 2,
  coresPerSocket: null,
  memoryBytes: gib,
  firmware: 'bios',
  secureBoot: false,
  tpm: false,
  disks: [0, 1].map((diskIndex) => ({
    diskIndex,
    sizeBytes: gib,
    bus: null,
    bootOrder: diskIndex === 0 ? 1 : null,
    vmwareDiskKey: 2000 + diskIndex,
  })),
  nics: [{ nicIndex: 0, mac: '00:50:56:aa:bb:01', network: 'VM Network', model: null, addresses: [] }],
  osId: null,
  notes: null,
  tags: {},
};

/** A filled-in policy for tests. */
const policy: RestorePolicy = {
  vmName: 'pgtest1',
  prepareGuest: true,
  bootTest: false,
  powerOn: true,
  evidence: 'serial-marker',
  serialMarker: null,
  bootTimeoutMs: 600_000,
  excludeDisks: [],
  networkMap: {},
  storage: null,
  macs: {},
  cpuCount: null,
  memoryBytes: null,
  bandwidthBytesPerSecond: null,
  addressRules: [],
  firstBootScript: null,
  acceptDirty: false,
  executor: 'auto',
};

function step(kind: StepKind, dependsOn: readonly string[], part: Partial<PlanStep> = {}): PlanStep {
  return {
    key: stepKey(kind, part.diskIndex ?? undefined),
    kind,
    diskIndex: null,
    agentId: 'agent-1',
    dependsOn,
    bytes: 0,
    concurrencyKeys: [],
    resources: [],
    ...part,
  };
}

function steps(): readonly PlanStep[] {
  const transfers = [0, 1].map((diskIndex) =>
    step('transfer-disk', ['prepare-guest'], {
      diskIndex,
      bytes: 10_000_000,
      resources: [{ resourceKey: 'disk', kind: 'disk', undoOrder: 10 + diskIndex }],
    }),
  );
  return [
    step('analyze-source', []),
    step('validate-target', []),
    step('prepare-guest', ['analyze-source', 'validate-target'], {
      resources: [{ resourceKey: 'overlay:0', kind: 'overlay', undoOrder: 1 }],
    }),
    ...transfers,
    step(
      'create-vm',
      transfers.map((one) => one.key),
      {
        resources: [{ resourceKey: 'vm', kind: 'vm', undoOrder: 20 }],
      },
    ),
    step('start-and-verify', ['create-vm']),
    step('configure-vm', ['start-and-verify']),
    step('finalize', ['configure-vm']),
  ];
}

/** A plan as the planner makes it, for tests that need no planner. */
export function restorePlan(part: Partial<RestorePlan> = {}): RestorePlan {
  return {
    planVersion: 1,
    planId: 'plan-1',
    createdAt: '2026-11-21T06:00:00.000Z',
    backupId: 'backup-1',
    sourceVmName: 'pgtest1',
    inputsHash: 'h1',
    inputs: { fingerprint: 'f1', policy: 'p1' },
    policy,
    source: {
      repositoryId: 'repo-1',
      agentId: 'agent-1',
      rootPath: '/repo',
      platform: 'unknown',
      fingerprint: 'f'.repeat(64),
      disks: [0, 1].map((diskIndex) => ({
        diskIndex,
        relPath: `ctx-1/disk-${diskIndex}/a.qcow2`,
        format: 'qcow2',
        virtualSizeBytes: gib,
        allocatedBytes: 10_000_000,
      })),
    },
    target: { targetId: 'target-1', platform: 'kvm', name: 'Local', agentId: 'agent-1' },
    vm: vmSpec,
    firmware: 'bios',
    disks: [0, 1].map((diskIndex) => ({
      diskIndex,
      targetSizeBytes: gib,
      bytesToMove: 10_000_000,
      bus: 'virtio-blk',
      storage: 'default',
      boot: diskIndex === 0,
    })),
    nics: [
      {
        nicIndex: 0,
        mac: '00:50:56:aa:bb:01',
        model: 'virtio-net-pci',
        network: 'user',
        guestName: 'ens192',
        addresses: ['10.0.2.15/24'],
        rule: 'keep-mac-and-address',
      },
    ],
    steps: steps(),
    findings: [],
    estimate: { bytesToMove: 20_000_000, scratchBytes: 1, durationP50Ms: 60_000, durationP90Ms: 120_000 },
    ...part,
  };
}
