import type {
  BootReport,
  EvidenceRung,
  Finding,
  GuestNeedsVariant,
  LedgerEntry,
  PlannedDisk,
  PlannedNic,
  PlatformCapabilities,
  PlatformId,
  StepProgress,
  TargetFacts,
  VmSpec,
  Firmware,
} from '@ascend/domain';
import type { DiskSink, SinkModule } from '@ascend/disk';
import type { Clock, Logger, Secret } from '@ascend/runtime';

/** A parsed, checked connection of one platform; opaque outside its platform folder. */
export type Connection = Readonly<Record<string, unknown>>;

/** What a connector is given to work with; nothing is read from the environment. */
export interface ConnectorDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Secrets by the names the connection refers to; fetched per operation, memory only (D18). */
  readonly secrets: (name: string) => Promise<Secret>;
  /** Private scratch folder of this agent, exists, mode 700. */
  readonly workDir: string;
}

/** A disk on the target, as the sink's owner described it. JSON only: it is stored and given back. */
export interface DiskRef {
  readonly diskIndex: number;
  readonly name: string;
  readonly token: unknown;
}

/** A VM on the target. JSON only. */
export interface VmRef {
  readonly id: string;
  readonly name: string;
  readonly token: unknown;
}

/** What validate-target asks: would this VM fit and be allowed here, now? */
export interface TargetCheckParams {
  readonly vm: VmSpec;
  readonly disks: readonly PlannedDisk[];
  readonly nics: readonly PlannedNic[];
  /** Our own names, which do not count as "taken" (a retry must not trip over itself). */
  readonly ownNames: readonly string[];
  readonly signal: AbortSignal;
}

/** Opens the place for one disk. `name` is deterministic: a second call with it adopts what is there. */
export interface OpenSinkParams {
  readonly name: string;
  readonly jobId: string;
  readonly disk: PlannedDisk;
  /** true: keep what an earlier attempt confirmed. false: start at zero. */
  readonly resume: boolean;
  readonly signal: AbortSignal;
}

/** A sink with the reference that create-vm will use. */
export interface OpenedSink {
  readonly sink: DiskSink;
  readonly ref: DiskRef;
  /** True when the disk was already finished by an earlier attempt: nothing has to be moved. Only with `resume`. */
  readonly alreadyFinished: boolean;
  /** True when bytes of an earlier attempt are there. False: a checkpoint must not be trusted, the copy starts at zero. */
  readonly kept: boolean;
  /**
   * The same sink for a thread of its own. Offered, it is used instead: `sink` is suspended first, without a write, and the module must then
   * open what was suspended and go on with it (a sink that cannot be suspended must open its place only at its first call). The module
   * finishes, suspends and aborts as `sink` would. JSON only, and no secret in it.
   */
  readonly module?: SinkModule;
}

/** The VM to create. Powered off; `name` and `tag` decide about adoption. */
export interface CreateVmParams {
  readonly jobId: string;
  /** Deterministic owned name (tag); the display name is `vm.name`. */
  readonly ownedName: string;
  readonly vm: VmSpec;
  readonly firmware: Firmware;
  readonly disks: readonly { readonly planned: PlannedDisk; readonly ref: DiskRef }[];
  readonly nics: readonly PlannedNic[];
  readonly signal: AbortSignal;
}

/** What counts as booted, and how long to wait. */
export interface VerifyBootParams {
  readonly vm: VmRef;
  readonly evidence: EvidenceRung;
  readonly serialMarker: string | null;
  readonly expectedAddresses: readonly string[];
  readonly timeoutMs: number;
  readonly onProgress: (progress: Pick<StepProgress, 'phase' | 'bytesDone' | 'bytesTotal'>) => void;
  readonly signal: AbortSignal;
}

/** An open session with one target. Every creating call is idempotent by its deterministic name. */
export interface TargetSession extends AsyncDisposable {
  /** Live facts for planner and UI. @throws TARGET_UNREACHABLE, TARGET_DENIED */
  inventory(signal: AbortSignal): Promise<TargetFacts>;
  /** Findings only; creates nothing. */
  check(params: TargetCheckParams): Promise<readonly Finding[]>;
  openSink(params: OpenSinkParams): Promise<OpenedSink>;
  /**
   * Reads a finished disk back and returns its digest (see `CopyResult.sha256`), where the platform can: a transfer
   * that was resumed is proven with it.
   */
  digest?(ref: DiskRef, signal: AbortSignal): Promise<string>;
  /** Called twice with the same `ownedName` it returns the VM of the first call. @throws TARGET_NAME_TAKEN */
  createVm(params: CreateVmParams): Promise<VmRef>;
  /** Idempotent: a running VM stays running. */
  powerOn(vm: VmRef, signal: AbortSignal): Promise<void>;
  /** Graceful first, then hard. Idempotent; a VM that is not there is off. */
  powerOff(vm: VmRef, signal: AbortSignal): Promise<void>;
  verifyBoot(params: VerifyBootParams): Promise<BootReport>;
  /** Tags, notes, tools check; idempotent. */
  configureVm(params: {
    readonly vm: VmRef;
    readonly spec: VmSpec;
    readonly jobId: string;
    readonly signal: AbortSignal;
  }): Promise<readonly Finding[]>;
  /** Everything on the target that carries this job's names, whatever the ledger says. */
  findOwned(
    jobId: string,
    signal: AbortSignal,
  ): Promise<readonly Pick<LedgerEntry, 'kind' | 'name' | 'token'>[]>;
  /** Removes one resource and waits until it is gone. "Not found" is success. */
  destroy(resource: Pick<LedgerEntry, 'kind' | 'name' | 'token'>, signal: AbortSignal): Promise<void>;
}

/** The code for one platform: a typed record of small parts, no base class. */
export interface Connector {
  readonly platform: PlatformId;
  readonly capabilities: PlatformCapabilities;
  /** What each kind of the platform's hardware needs inside a guest: prepare-guest takes that of the plan. */
  readonly guestNeeds: readonly GuestNeedsVariant[];
  /** Schema check only, no I/O. @throws {AppError} TARGET_CONNECTION_INVALID */
  parseConnection(input: unknown): Connection;
  /** @throws {AppError} TARGET_UNREACHABLE, TARGET_DENIED */
  open(connection: Connection, deps: ConnectorDeps): Promise<TargetSession>;
}
