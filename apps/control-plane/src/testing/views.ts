import type { AgentView, HostCapabilities } from '@ascend/domain';

/** A host that can do everything, for tests. */
export const ableHost: HostCapabilities = {
  qemuVersion: '7.2.0',
  qemuImgVersion: '7.2.0',
  storageDaemonFuse: true,
  nbdKernel: false,
  kvmWorks: false,
  libguestfsVersion: null,
  fuse2fs: true,
  bubblewrap: true,
  runsAsRoot: true,
  cpuCount: 4,
  memoryBytes: 8 * 1024 ** 3,
  scratchFreeBytes: 200 * 1024 ** 3,
};

/** An agent that is online and able, with what the test says about it. */
export function agentView(part: Partial<AgentView> & Pick<AgentView, 'agentId'>): AgentView {
  return {
    siteId: 'site-1',
    version: '0.1.0',
    online: true,
    lastSeenAt: null,
    capabilities: ableHost,
    repositories: {},
    targets: [],
    ...part,
  };
}
