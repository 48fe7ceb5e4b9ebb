import { describe, expect, test } from 'vitest';
import { planRestore } from '../planRestore.ts';
import { agent, able, findingsOf, testObstacles, testNoObstacles } from '../testing/obstacle.ts';
import {
  sampleAgent,
  sampleAgentWith,
  sampleKernel,
  type sampleGuest,
  sampleParams,
  withGuest,
  withNeeds,
  withPolicy,
} from '../testing/sampleParams.ts';

describe('obstacles', () => {
  testObstacles([
    [
      'an unknown guest',
      withGuest({ family: 'unknown' }),
      'PLAN_GUEST_UNKNOWN blocked guest',
      'no operating system',
    ],
    ['a windows guest', withGuest({ family: 'windows' }), 'PLAN_GUEST_UNSUPPORTED blocked guest', 'windows'],
    [
      'a guest without root',
      withGuest({ root: null }),
      'PLAN_GUEST_UNSUPPORTED blocked guest',
      'root file system',
    ],
    ['a guest without kernel', withGuest({ kernels: [] }), 'PLAN_GUEST_UNSUPPORTED blocked guest', 'kernel'],
    [
      'a remark of the analysis',
      withGuest({ remarks: ['disk 1 is LUKS'] }),
      'PLAN_GUEST_REMARK warning guest',
      'LUKS',
    ],
    [
      'a kernel without the storage driver',
      withGuest({ kernels: [{ ...sampleKernel, availableModules: ['virtio_blk', 'virtio_net'] }] }),
      'PLAN_DRIVER_MISSING blocked guest',
      'does not ship virtio_pci',
    ],
    [
      'a kernel without the network driver',
      withGuest({ kernels: [{ ...sampleKernel, availableModules: ['virtio_blk', 'virtio_pci'] }] }),
      'PLAN_DRIVER_MISSING blocked guest',
      'does not ship virtio_net',
    ],
    [
      'an older kernel without the storage driver',
      withGuest({
        kernels: [
          { ...sampleKernel, version: '6.1.0-9-amd64', availableModules: ['virtio_net'] },
          sampleKernel,
        ],
      }),
      'PLAN_DRIVER_MISSING warning guest',
      '6.1.0-9-amd64 does not ship virtio_blk, virtio_pci',
    ],
    [
      'a kernel without boot image',
      withGuest({ kernels: [{ ...sampleKernel, initramfsPath: null }] }),
      'PLAN_GUEST_UNSUPPORTED blocked guest',
      'boot image',
    ],
    [
      'a device name that is replaced',
      withGuest({ deviceNames: [{ path: 'etc/fstab', device: '/dev/sdb1', uuid: 'ab-cd' }] }),
      'PLAN_DEVICE_NAME_REPLACED fixed guest',
      '/etc/fstab names /dev/sdb1',
    ],
    [
      'a device name that nothing explains',
      withGuest({ deviceNames: [{ path: 'etc/fstab', device: '/dev/sdc1', uuid: null }] }),
      'PLAN_DEVICE_NAME_UNKNOWN warning guest',
      '/etc/fstab names /dev/sdc1',
    ],
    [
      'a raw restore of a guest without drivers',
      withPolicy({ prepareGuest: false }),
      'PLAN_GUEST_RAW warning guest',
      'virtio_blk, virtio_pci',
    ],
    ['no agents', sampleParams({ agents: [] }), 'PLAN_AGENT_MISSING blocked agent', 'sees repository repo-1'],
    [
      'no agent for the repository',
      agent({ repositories: {} }),
      'PLAN_AGENT_MISSING blocked agent',
      'sees repository repo-1',
    ],
    [
      'no agent for the target',
      agent({ targets: [] }),
      'PLAN_AGENT_MISSING blocked agent',
      'serve target local',
    ],
    [
      'an agent that is offline',
      agent({ online: false }),
      'PLAN_AGENT_OFFLINE blocked agent:agent-a',
      'site-1',
    ],
    [
      'an agent that was never seen',
      agent({ online: false, lastSeenAt: null }),
      'PLAN_AGENT_OFFLINE blocked agent:agent-a',
      'offline',
    ],
    [
      'an agent without qemu-img',
      able({ qemuImgVersion: null }),
      'PLAN_AGENT_INCAPABLE blocked agent:agent-a',
      'qemu-img',
    ],
    [
      'an agent that cannot edit guests',
      able({ bubblewrap: false }),
      'PLAN_AGENT_INCAPABLE blocked agent:agent-a',
      'bubblewrap',
    ],
    [
      'an agent that cannot export disks',
      able({ storageDaemonFuse: false }),
      'PLAN_AGENT_INCAPABLE blocked agent:agent-a',
      'FUSE',
    ],
    [
      'an agent that cannot mount',
      able({ fuse2fs: false }),
      'PLAN_AGENT_INCAPABLE blocked agent:agent-a',
      'fuse2fs',
    ],
    [
      'an agent without scratch space',
      able({ scratchFreeBytes: 1 }),
      'PLAN_SCRATCH_FULL blocked agent:agent-a',
      'agent-a has',
    ],
    [
      'a repository and a target at different agents',
      sampleParams({
        agents: [
          { ...sampleAgent, targets: [] },
          { ...sampleAgent, agentId: 'agent-b', repositories: {} },
        ],
      }),
      'PLAN_ROUTE_MISSING blocked agent',
      'agent agent-a reads repository repo-1, agent agent-b reaches target local',
    ],
  ]);
});

describe('no obstacle', () => {
  testNoObstacles([
    [
      'a raw restore of a guest with the drivers',
      {
        ...withPolicy({ prepareGuest: false }),
        facts: withGuest({ kernels: [{ ...sampleKernel, initramfsModules: ['virtio-blk', 'virtio_pci'] }] })
          .facts,
      },
      'PLAN_GUEST_RAW',
    ],
    [
      'an agent that edits guests by appliance',
      able({ libguestfsVersion: '1.48', bubblewrap: false }),
      'PLAN_AGENT_INCAPABLE',
    ],
    ['an agent that mounts as root', able({ fuse2fs: false, runsAsRoot: true }), 'PLAN_AGENT_INCAPABLE'],
    [
      'a raw restore on a bare agent',
      able({ bubblewrap: false, scratchFreeBytes: 0 }, { prepareGuest: false }),
      'PLAN_AGENT_INCAPABLE',
    ],
  ]);
});

function chosen(changes: readonly Partial<typeof sampleAgent>[]): string {
  const agents = changes.map((change) => sampleAgentWith(change));
  return planRestore(sampleParams({ agents })).source.agentId;
}

function evidence(changed: Partial<typeof sampleGuest>): string | undefined {
  return findingsOf(withGuest({ family: 'windows', ...changed })).find(
    (finding) => finding.code === 'PLAN_GUEST_UNSUPPORTED',
  )?.evidence;
}

describe('choices', () => {
  test('an agent that is online and able goes before others, then the first by id', () => {
    expect(chosen([{ agentId: 'b' }, { agentId: 'a' }])).toBe('a');
    expect(chosen([{ agentId: 'b' }, { agentId: 'a', online: false }])).toBe('b');
    expect(
      chosen([
        { agentId: 'b' },
        { agentId: 'a', capabilities: { ...sampleAgent.capabilities, bubblewrap: false } },
      ]),
    ).toBe('b');
    expect(chosen([{ agentId: 'b' }, { agentId: 'a', targets: [] }])).toBe('b');
  });

  test('drivers that are built into the kernel are neither missing nor injected', () => {
    const kernel = { ...sampleKernel, builtinModules: ['virtio_blk', 'virtio-pci', 'virtio_net'] };
    const codes = findingsOf(withGuest({ kernels: [kernel] })).map((finding) => finding.code);
    expect(codes).not.toContain('PLAN_DRIVER_MISSING');
    expect(codes).not.toContain('PLAN_DRIVER_INJECTED');
  });

  test('optional drivers are named when the kernel ships them', () => {
    const kernel = { ...sampleKernel, availableModules: [...sampleKernel.availableModules, 'nvme'] };
    const params = withGuest({ kernels: [kernel] });
    const found = findingsOf(withNeeds(params, { linuxOptionalModules: ['ext4', 'xfs', 'nvme'] }));
    expect(found.find((finding) => finding.code === 'PLAN_DRIVER_INJECTED')?.message).toMatch(
      / lacks virtio_blk, virtio_pci, virtio_net, nvme$/,
    );
  });

  test('modules that a guest without initramfs tool lacks are appended', () => {
    const found = findingsOf(withGuest({ initramfsTool: 'none' })).find(
      (finding) => finding.code === 'PLAN_DRIVER_INJECTED',
    );
    expect(found?.action).toBe('virtio_blk, virtio_pci, virtio_net are appended to the boot image.');
  });

  test('guest facts name the system in the evidence, as far as known', () => {
    expect(evidence({ distribution: 'Windows', version: null, remarks: ['NTFS is dirty'] })).toBe(
      'Windows; NTFS is dirty',
    );
    expect(evidence({ distribution: null, version: null })).toBe('');
  });
});
