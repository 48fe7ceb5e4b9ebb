/** Every kind of step a plan may hold. */
export const stepKinds = [
  'analyze-source',
  'validate-target',
  'prepare-guest',
  'boot-test',
  'transfer-disk',
  'create-vm',
  'start-and-verify',
  'configure-vm',
  'finalize',
] as const;

/** The kind of a step. */
export type StepKind = (typeof stepKinds)[number];

/** The seeds' job status while a step of this kind is the furthest one running (D20). */
export type SeedRestoreStatus =
  | 'pending'
  | 'converting'
  | 'uploading'
  | 'creating'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'rolled_back'
  | 'paused'
  | 'awaiting_approval';

/** How a failed attempt is repeated: exponential back-off with full jitter between attempts. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/** What is true of every step of one kind. */
export interface StepDefinition {
  readonly kind: StepKind;
  readonly version: number;
  readonly title: string;
  readonly seedStatus: SeedRestoreStatus;
  readonly runsOn: 'repository-agent' | 'target-agent';
  readonly retry: RetryPolicy;
  /** No counter grew for this long = stalled (D15). */
  readonly stallAfterMs: number;
  /** Share of the job's progress beside bytes; transfer-disk is weighed by its bytes. */
  readonly weight: number;
  /** Does the step create something that rollback must remove? */
  readonly creates: boolean;
}

const quick: RetryPolicy = { maxAttempts: 3, baseDelayMs: 1_000, maxDelayMs: 15_000 };
const once: RetryPolicy = { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 };
const patient: RetryPolicy = { maxAttempts: 5, baseDelayMs: 2_000, maxDelayMs: 60_000 };

/** The definitions of all kinds: planner, engine, agent and UI read the same table. */
export const stepDefinitions: Readonly<Record<StepKind, StepDefinition>> = {
  'analyze-source': {
    kind: 'analyze-source',
    version: 1,
    title: 'Check the restore point',
    seedStatus: 'pending',
    runsOn: 'repository-agent',
    retry: quick,
    stallAfterMs: 180_000,
    weight: 2,
    creates: false,
  },
  'validate-target': {
    kind: 'validate-target',
    version: 1,
    title: 'Check the target',
    seedStatus: 'pending',
    runsOn: 'target-agent',
    retry: quick,
    stallAfterMs: 120_000,
    weight: 1,
    creates: false,
  },
  'prepare-guest': {
    kind: 'prepare-guest',
    version: 1,
    title: 'Prepare the guest',
    seedStatus: 'converting',
    runsOn: 'repository-agent',
    retry: quick,
    stallAfterMs: 180_000,
    weight: 10,
    creates: true,
  },
  'boot-test': {
    kind: 'boot-test',
    version: 1,
    title: 'Rehearse the boot',
    seedStatus: 'converting',
    runsOn: 'repository-agent',
    retry: once,
    stallAfterMs: 180_000,
    weight: 15,
    creates: false,
  },
  'transfer-disk': {
    kind: 'transfer-disk',
    version: 1,
    title: 'Transfer disk',
    seedStatus: 'uploading',
    runsOn: 'target-agent',
    retry: patient,
    stallAfterMs: 120_000,
    weight: 50,
    creates: true,
  },
  'create-vm': {
    kind: 'create-vm',
    version: 1,
    title: 'Create the VM',
    seedStatus: 'creating',
    runsOn: 'target-agent',
    retry: quick,
    stallAfterMs: 120_000,
    weight: 2,
    creates: true,
  },
  'start-and-verify': {
    kind: 'start-and-verify',
    version: 1,
    title: 'Start and prove that it boots',
    seedStatus: 'creating',
    runsOn: 'target-agent',
    retry: once,
    stallAfterMs: 180_000,
    weight: 15,
    creates: false,
  },
  'configure-vm': {
    kind: 'configure-vm',
    version: 1,
    title: 'Configure the VM',
    seedStatus: 'creating',
    runsOn: 'target-agent',
    retry: quick,
    stallAfterMs: 120_000,
    weight: 1,
    creates: false,
  },
  finalize: {
    kind: 'finalize',
    version: 1,
    title: 'Report and clean up',
    seedStatus: 'creating',
    runsOn: 'repository-agent',
    retry: patient,
    stallAfterMs: 120_000,
    weight: 1,
    creates: false,
  },
};

/** The stable key of a step: `<kind>` or `<kind>:<disk_index>` (D4). */
export function stepKey(kind: StepKind, diskIndex?: number): string {
  return diskIndex === undefined ? kind : `${kind}:${diskIndex}`;
}
