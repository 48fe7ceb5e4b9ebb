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
