import type { GuestNeedsVariant, LedgerEntry, RestorePlan, StepKind, StepProgress } from '@ascend/domain';
import type { TargetSession } from '@ascend/connector';
import type { BandwidthLimiter } from '@ascend/disk';
import type { ApplianceSetup, GuestSources } from '@ascend/guest';
import type { Clock, Logger } from '@ascend/runtime';

/** The target connection an operation may use; secrets are asked for by name when the session opens (D18). */
export interface TargetAccess {
  readonly targetId: string;
  /** What the target's hardware needs inside a guest: the connector's data, no session needed. */
  readonly guestNeeds: readonly GuestNeedsVariant[];
  /** Opens a session; the caller disposes it. */
  open(): Promise<TargetSession>;
}

/** What a handler knows about the operation it performs: all of it is data that crossed the bus. */
export interface StepOperation {
  readonly opId: string;
  readonly jobId: string;
  readonly stepKey: string;
  readonly kind: StepKind;
  readonly attempt: number;
  readonly epoch: number;
  readonly diskIndex: number | null;
  readonly plan: RestorePlan;
  /** Outputs of the steps it depends on (transitively), by step key. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Last checkpoint of an earlier attempt; null at first. */
  readonly checkpoint: unknown;
  /** This job's ledger rows, as the control plane knew them at dispatch. */
  readonly ledger: readonly LedgerEntry[];
}

/** The only world a step sees (D19). */
export interface StepContext {
  readonly operation: StepOperation;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Cancel or shutdown. After it fires a step has 10 s, then its process tree is killed (D16). */
  readonly signal: AbortSignal;
  /** Private folder of this job on this agent; survives attempts, removed by finalize or rollback. */
  readonly workDir: string;
  readonly target: TargetAccess;
  /** How guests are mounted that the host cannot mount; absent = no appliance here. */
  readonly appliance?: ApplianceSetup;
  /** The cap of all transfers of this process together; absent = none. */
  readonly bandwidth?: BandwidthLimiter;
  /** The cap of this operation's disk stream, which may change while it runs; absent = the plan's policy, unchanging. */
  readonly streamBandwidth?: BandwidthLimiter;
  /** What this machine has for guests; absent = nothing. */
  readonly guestSources?: GuestSources;
  /** Absolute counters; throttled by the receiver. */
  report(progress: Omit<StepProgress, 'stepKey' | 'atMs'>): void;
  /** Stores a resume point; resolves when it is durable on this agent. Only for bytes that are durable at the far side. */
  checkpoint(data: unknown): Promise<void>;
  ledger: {
    /** The resource exists now; stored on the agent first, then sent. Called after the creating call, before anything else. */
    present(resourceKey: string, token: unknown): Promise<void>;
    /** The resource was removed and that was seen. `stepKey`: the step that owns it, when it is not this one (finalize). */
    gone(resourceKey: string, stepKey?: string): Promise<void>;
  };
  /** Names of this step's planned resources on the target. */
  nameOf(resourceKey: string): string;
}

/** The code of one kind of step. `run` does, proves and returns the output that later steps may read. */
export interface StepHandler {
  readonly kind: StepKind;
  /** @throws {AppError} only AppErrors leave a handler. */
  run(context: StepContext): Promise<unknown>;
  /** Removes one resource of this step; "not there" is success. Only for kinds that create. */
  undo?(context: StepContext, entry: LedgerEntry): Promise<void>;
}
