import type {
  AgentView,
  PlatformData,
  PlatformId,
  RestorePoint,
  RestorePointFacts,
  RestoreRequest,
  TargetFacts,
  VmSpec,
} from '@ascend/domain';

/** Space that another restore is going to use and that the inventory cannot show yet. */
export interface StorageReservation {
  readonly jobId: string;
  readonly storage: string;
  readonly bytes: number;
}

/** Measured speed of earlier restores on the same route; replaces the shipped defaults. */
export interface TransferHistory {
  readonly p50BytesPerSecond: number;
  /** Slower than p50: nine of ten restores were at least this fast. */
  readonly p90BytesPerSecond: number;
}

/** Everything a plan is made from; no clock, no I/O. */
export interface PlanParams {
  readonly planId: string;
  /** ISO 8601 UTC. */
  readonly now: string;
  readonly request: RestoreRequest;
  readonly restorePoint: RestorePoint;
  /** null = no API, sidecar or operator told what the VM was. */
  readonly vmSpec: VmSpec | null;
  readonly facts: RestorePointFacts;
  readonly target: { readonly targetId: string; readonly name: string; readonly platform: PlatformId };
  readonly targetFacts: TargetFacts;
  readonly platform: PlatformData;
  readonly agents: readonly AgentView[];
  /** Default: nobody else is restoring to this target. */
  readonly reservations?: readonly StorageReservation[];
  readonly history?: TransferHistory;
}

/** Stands where a plan has no agent, storage or network to name; always beside a blocked finding. No real id looks like it. */
export const nothing = '-';
