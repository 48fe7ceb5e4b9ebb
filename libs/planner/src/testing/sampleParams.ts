import type {
  AgentView,
  GuestFacts,
  GuestNeeds,
  KernelFacts,
  PlatformCapabilities,
  RestorePoint,
  RestorePointDisk,
  TargetFacts,
  VmNic,
  VmSpec,
} from '@ascend/domain';
import type { PlanParams } from '../params.ts';

const gib = 1024 ** 3;

const limit = (value: number): PlatformCapabilities['maxDisks'] => ({
  value,
  source: 'test table',
  readOn: '2026-11-21',
});

/** A kernel whose boot image holds only the drivers of the old hardware. */
export const sampleKernel: KernelFacts = {
  version: '6.1.0-18-amd64',
  initramfsPath: '/boot/initrd.img-6.1.0-18-amd64',
  initramfsModules: ['sd_mod', 'vmw_pvscsi', 'ext4'],
  availableModules: ['virtio_blk', 'virtio-pci', 'virtio_net', 'sd_mod', 'vmw_pvscsi', 'ext4'],
};

/** A Debian guest with one statically addressed interface whose files name no MAC address. */
export const sampleGuest: GuestFacts = {
  family: 'linux',
  distribution: 'debian',
  version: '12',
  arch: 'x86_64',
  hostname: 'pgtest1',
  root: { diskIndex: 0, offsetBytes: 1024 ** 2, sizeBytes: 2 * gib, fileSystem: 'ext4' },
  firmware: 'bios',
  initramfsTool: 'initramfs-tools',
  kernels: [sampleKernel],
  nics: [{ name: 'ens192', mac: null, addresses: ['10.0.2.77/24'], configPath: '/etc/network/interfaces' }],
  remarks: [],
};

/** One interface of the specification. */
export const sampleNic: VmNic = {
  nicIndex: 0,
  mac: '00:50:56:aa:bb:01',
  network: 'VM Network',
  model: 'vmxnet3',
  addresses: [],
};

/** The VM as its sidecar describes it. */
export const sampleSpec: VmSpec = {
  name: 'pgtest1',
  cpuCount: 2,
  coresPerSocket: 1,
  memoryBytes: gib,
  firmware: 'bios',
  secureBoot: false,
  tpm: false,
  disks: [
    { diskIndex: 0, sizeBytes: 2 * gib, bus: 'pvscsi', bootOrder: 1, vmwareDiskKey: 2000 },
    { diskIndex: 1, sizeBytes: gib, bus: 'pvscsi', bootOrder: null, vmwareDiskKey: 2001 },
  ],
  nics: [sampleNic],
  osId: 'debian12',
  notes: null,
  tags: { owner: 'db' },
};

/** A disk of the restore point. */
export function sampleDisk(diskIndex: number): RestorePointDisk {
  return {
    diskIndex,
    vmwareDiskKey: 2000 + diskIndex,
    sizeGb: 2,
    path: `/mnt/backups/ctx-1/disk-${diskIndex}/inc2.qcow2`,
    format: 'qcow2',
    status: 'completed',
  };
}

/** A completed incremental with two disks. */
export const samplePoint: RestorePoint = {
  backupId: 'backup-1',
  contextId: 'ctx-1',
  vmName: 'pgtest1',
  repositoryId: 'repo-1',
  backupType: 'incremental',
  status: 'completed',
  sourcePlatform: 'vmware',
  createdAt: '2026-11-20T02:00:00.000Z',
  disks: [sampleDisk(0), sampleDisk(1)],
};

/** An agent that can do everything. */
export const sampleAgent: AgentView = {
  agentId: 'agent-a',
  siteId: 'site-1',
  version: '0.1.0',
  online: true,
  lastSeenAt: '2026-11-21T05:59:58.000Z',
  capabilities: {
    qemuVersion: '7.2.22',
    qemuImgVersion: '7.2.22',
    storageDaemonFuse: true,
    nbdKernel: false,
    kvmWorks: false,
    libguestfsVersion: null,
    fuse2fs: true,
    bubblewrap: true,
    runsAsRoot: false,
    cpuCount: 2,
    memoryBytes: 8 * gib,
    scratchFreeBytes: 50 * gib,
  },
  repositories: { 'repo-1': '/srv/backups' },
  targets: ['local'],
};

/** The sample agent with changes. */
export function sampleAgentWith(
  changed: Partial<AgentView>,
  capabilities: Partial<AgentView['capabilities']> = {},
): AgentView {
  return { ...sampleAgent, capabilities: { ...sampleAgent.capabilities, ...capabilities }, ...changed };
}

/** A target with one storage and one network. */
export const sampleTargetFacts: TargetFacts = {
  targetId: 'local',
  apiVersion: '7.2',
  storages: [{ name: 'default', freeBytes: 100 * gib, totalBytes: 200 * gib }],
  networks: [{ name: 'user', about: 'user-mode network' }],
  vmNames: ['other'],
  cpuCount: 4,
  memoryBytes: 8 * gib,
  acceleration: 'tcg',
  fetchedAt: '2026-11-21T06:00:00.000Z',
};

/** What the sample platform can do. */
const sampleCapabilities: PlatformCapabilities = {
  platform: 'kvm',
  firmware: ['bios', 'uefi'],
  maxDisks: limit(8),
  maxDiskBytes: limit(8 * 1024 * gib),
  diskRoundingBytes: 512,
  maxNics: limit(4),
  diskBuses: ['virtio-blk', 'pvscsi'],
  nicModels: ['virtio-net-pci', 'vmxnet3'],
  importShape: 'disks-then-vm',
  resumableTransfer: true,
  maxNameLength: 32,
  namePattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
  secureBoot: false,
  tpm: false,
  architectures: ['x86_64', 'i386', 'i686'],
  ownsMac: false,
  rehearsal: true,
};

/** What the only hardware of the sample platform needs. */
const sampleNeeds: GuestNeeds = {
  linuxStorageModules: ['virtio_blk', 'virtio_pci'],
  linuxNetworkModules: ['virtio_net'],
  linuxOptionalModules: [],
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
};

/** The parameters for a target whose hardware needs something else of a guest. */
export function withNeeds(params: PlanParams, changed: Partial<GuestNeeds>): PlanParams {
  const guestNeeds = params.platform.guestNeeds.map((variant) => ({
    ...variant,
    needs: { ...variant.needs, ...changed },
  }));
  return { ...params, platform: { ...params.platform, guestNeeds } };
}

/** Parameters that give a plan without obstacles, with the given ones changed. */
export function sampleParams(changed: Partial<PlanParams> = {}): PlanParams {
  return {
    planId: 'plan-1',
    now: '2026-11-21T06:00:00.000Z',
    request: { backupId: 'backup-1', targetId: 'local', policy: {} },
    restorePoint: samplePoint,
    vmSpec: sampleSpec,
    facts: {
      backupId: 'backup-1',
      fingerprint: 'sha256:00',
      disks: [0, 1].map((diskIndex) => ({
        diskIndex,
        virtualSizeBytes: (2 - diskIndex) * gib,
        allocatedBytes: 600 * 1024 ** 2,
        layers: [
          {
            relPath: `ctx-1/disk-${diskIndex}/inc2.qcow2`,
            format: 'qcow2',
            fileSizeBytes: 1024,
            mtimeMs: 1,
            headSha256: 'aa',
          },
        ],
      })),
      guest: sampleGuest,
      analyzedAt: '2026-11-21T06:00:00.000Z',
    },
    target: { targetId: 'local', name: 'local', platform: 'kvm' },
    targetFacts: sampleTargetFacts,
    platform: {
      capabilities: sampleCapabilities,
      guestNeeds: [{ id: 'any', diskBuses: sampleCapabilities.diskBuses, needs: sampleNeeds }],
      dataVersion: '1',
    },
    agents: [sampleAgent],
    ...changed,
  };
}

/** Sample parameters with a policy. */
export function withPolicy(
  policy: PlanParams['request']['policy'],
  changed: Partial<PlanParams> = {},
): PlanParams {
  return sampleParams({ ...changed, request: { backupId: 'backup-1', targetId: 'local', policy } });
}

/** Sample parameters with another guest. */
export function withGuest(changed: Partial<GuestFacts>, more: Partial<PlanParams> = {}): PlanParams {
  const params = sampleParams(more);
  return { ...params, facts: { ...params.facts, guest: { ...params.facts.guest, ...changed } } };
}

/** Sample parameters with other capabilities of the platform. */
export function withCapabilities(
  changed: Partial<PlatformCapabilities>,
  more: Partial<PlanParams> = {},
): PlanParams {
  const params = sampleParams(more);
  return {
    ...params,
    platform: { ...params.platform, capabilities: { ...params.platform.capabilities, ...changed } },
  };
}
