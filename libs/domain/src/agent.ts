/** What a machine has for guests, as its configuration names it and as it was read when the agent started. */
export interface GuestSourceFacts {
  /** null = no driver folder or image is configured. */
  readonly windowsDrivers: {
    /** INF files that were read. */
    readonly packages: number;
    /** Devices that some package is for, e.g. `PCI\\VEN_1AF4&DEV_1001`; which Windows it is for is seen when the guest is prepared. */
    readonly devices: readonly string[];
    /** Why it could not be read; null = it was. */
    readonly problem: string | null;
  } | null;
  /** Names of the files in the folder of agents' packages, relative to it; null = no folder is configured. */
  readonly agentPackages: readonly string[] | null;
}

/** What an agent found out about its machine by trying, not by looking for device nodes. */
export interface HostCapabilities {
  readonly qemuVersion: string | null;
  readonly qemuImgVersion: string | null;
  readonly storageDaemonFuse: boolean;
  readonly nbdKernel: boolean;
  readonly kvmWorks: boolean;
  readonly libguestfsVersion: string | null;
  readonly fuse2fs: boolean;
  readonly bubblewrap: boolean;
  readonly runsAsRoot: boolean;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly scratchFreeBytes: number;
  /** Absent: an agent of an older version, which has none. */
  readonly guestSources?: GuestSourceFacts | undefined;
}

/** An agent as planner and API see it. */
export interface AgentView {
  readonly agentId: string;
  readonly siteId: string;
  readonly version: string;
  readonly online: boolean;
  /** ISO 8601 UTC. */
  readonly lastSeenAt: string | null;
  readonly capabilities: HostCapabilities;
  /** Repository id → root path on this agent. */
  readonly repositories: Readonly<Record<string, string>>;
  /** Target ids this agent may serve; empty = none. */
  readonly targets: readonly string[];
}
