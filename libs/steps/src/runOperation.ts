import {
  ownedName,
  stepDefinitions,
  type LedgerEntry,
  type StepKind,
  type StepProgress,
} from '@ascend/domain';
import { AppError, hasCode, toAppError } from '@ascend/errors';
import type { BandwidthLimiter } from '@ascend/disk';
import type { ApplianceSetup, GuestSources } from '@ascend/guest';
import type { Clock, Logger } from '@ascend/runtime';
import { watchForStall, type StallWatch } from './stallWatch.ts';
import type { StepContext, StepHandler, StepOperation, TargetAccess } from './stepHandler.ts';

/** Where the facts of an operation are made durable before anything else happens with them. */
export interface OperationJournal {
  checkpoint(data: unknown): Promise<void>;
  present(resourceKey: string, token: unknown): Promise<void>;
  /** `ownerStepKey`: the step that made the resource, when it is another one. */
  gone(resourceKey: string, ownerStepKey?: string): Promise<void>;
}

/** One operation with the world it runs in. */
export interface RunOperationParams {
  readonly operation: StepOperation;
  /** Only for an undo: the resource to remove. */
  readonly entry: LedgerEntry | null;
  readonly handlers: Readonly<Partial<Record<StepKind, StepHandler>>>;
  readonly journal: OperationJournal;
  readonly target: TargetAccess;
  readonly workDir: string;
  /** Absent = no appliance here. */
  readonly appliance?: ApplianceSetup;
  /** The cap of all transfers of this process together; absent = none. */
  readonly bandwidth?: BandwidthLimiter;
  /** The cap of this operation's disk stream; absent = the plan's policy. */
  readonly streamBandwidth?: BandwidthLimiter;
  /** What this machine has for guests; absent = nothing. */
  readonly guestSources?: GuestSources;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Abort with `suspension` to stop without a result (the process ends); any other reason is a cancel. */
  readonly signal: AbortSignal;
  readonly report: (progress: StepProgress) => void;
  /** Any number that grows while child processes work; keeps silent tools from counting as stalled. */
  readonly workDone?: () => Promise<number>;
}

/** How an operation ended. `suspended` is no result: the same operation goes on after a restart. */
export type OperationResult =
  | { readonly type: 'succeeded'; readonly output: unknown }
  | { readonly type: 'failed'; readonly error: AppError }
  | { readonly type: 'cancelled' }
  | { readonly type: 'undone'; readonly resourceKey: string }
  | { readonly type: 'undo-failed'; readonly resourceKey: string; readonly error: AppError }
  | { readonly type: 'suspended' };

/** The abort reason that means "stop, you will go on later". */
export const suspension: AppError = new AppError({
  code: 'OPERATION_CANCELLED',
  message: 'suspend: this process is being stopped',
});

/** How long a step may take to stop before the log says so (D16), and before the runner gives it up. */
const stopGraceMs = 10_000;
const giveUpAfterMs = 300_000;

// These two have a wall limit of their own (D15); a silent guest is what they wait for.
const wallLimited: ReadonlySet<StepKind> = new Set(['boot-test', 'start-and-verify']);

function createContext(params: RunOperationParams, watch: StallWatch, signal: AbortSignal): StepContext {
  const { operation, journal, clock } = params;
  let seen = '';
  return {
    operation,
    logger: params.logger,
    clock,
    signal,
    workDir: params.workDir,
    target: params.target,
    ...(params.appliance === undefined ? {} : { appliance: params.appliance }),
    ...(params.bandwidth === undefined ? {} : { bandwidth: params.bandwidth }),
    ...(params.streamBandwidth === undefined ? {} : { streamBandwidth: params.streamBandwidth }),
    ...(params.guestSources === undefined ? {} : { guestSources: params.guestSources }),
    report: (progress) => {
      const now = `${progress.phase} ${progress.bytesDone} ${progress.bytesSkipped}`;
      if (now !== seen) watch.alive();
      seen = now;
      params.report({ ...progress, stepKey: operation.stepKey, atMs: clock.now() });
    },
    checkpoint: async (data) => {
      watch.alive();
      await journal.checkpoint(data);
    },
    ledger: {
      present: async (resourceKey, token) => {
        watch.alive();
        await journal.present(resourceKey, token);
      },
      gone: async (resourceKey, stepKey) => {
        watch.alive();
        await journal.gone(resourceKey, stepKey);
      },
    },
    nameOf: (resourceKey) => ownedName(operation.jobId, operation.stepKey, resourceKey),
  };
}

function missing(operation: StepOperation, what: string): AppError {
  return new AppError({
    code: 'AGENT_STEP_MISSING',
    message: `${what} ${operation.stepKey}: no code for kind ${operation.kind}`,
    details: { kind: operation.kind },
  });
}

async function perform(params: RunOperationParams, context: StepContext): Promise<unknown> {
  const { operation, entry } = params;
  const handler = params.handlers[operation.kind];
  if (handler === undefined) throw missing(operation, 'run');
  if (entry === null) return await handler.run(context);
  if (handler.undo === undefined) throw missing(operation, 'undo');
  await handler.undo(context, entry);
  return null;
}

/** Settles with the work, or rejects when the work has not ended long after it was told to. */
async function withGrace<T>(work: Promise<T>, signal: AbortSignal, params: RunOperationParams): Promise<T> {
  const done = new AbortController();
  const stuck = Promise.withResolvers<never>();
  const wait = async (): Promise<void> => {
    await params.clock.sleep(stopGraceMs, done.signal);
    params.logger.warn('step does not stop', { stepKey: params.operation.stepKey, waitedMs: stopGraceMs });
    await params.clock.sleep(giveUpAfterMs, done.signal);
    const message = `stop ${params.operation.stepKey}: still running after ${giveUpAfterMs} ms`;
    stuck.reject(new AppError({ code: 'AGENT_STEP_STUCK', message }));
  };
  const start = (): void => void wait().catch(() => undefined);
  if (signal.aborted) start();
  else signal.addEventListener('abort', start, { once: true });
  try {
    return await Promise.race([work, stuck.promise]);
  } finally {
    signal.removeEventListener('abort', start);
    done.abort();
  }
}

function failure(params: RunOperationParams, error: AppError): OperationResult {
  const { entry } = params;
  if (entry === null) return { type: 'failed', error };
  return { type: 'undo-failed', resourceKey: entry.resourceKey, error };
}

function judge(params: RunOperationParams, watch: StallWatch, thrown: unknown): OperationResult {
  const { operation, logger } = params;
  const error = toAppError(thrown, `run ${operation.stepKey}`);
  if (hasCode(error, 'AGENT_STEP_STUCK')) return failure(params, error);
  if (params.signal.aborted) {
    if (!hasCode(error, 'OPERATION_CANCELLED')) {
      logger.warn('step failed while it was being stopped', { code: error.code, reason: error.message });
    }
    return { type: params.signal.reason === suspension ? 'suspended' : 'cancelled' };
  }
  if (!watch.signal.aborted) return failure(params, error);
  const { stallAfterMs } = stepDefinitions[operation.kind];
  const stalled = new AppError({
    code: 'AGENT_STEP_STALLED',
    message: `run ${operation.stepKey}: nothing moved for ${stallAfterMs} ms`,
    details: { stallAfterMs },
    cause: error,
  });
  return failure(params, stalled);
}

/**
 * Runs one operation to its end and says how it ended; never rejects. The same for the agent and for `ascend local`:
 * what is durable where is the journal's business. Resolves only after the step's code has ended (or was given up
 * 5 minutes after it was told to stop), so that nothing goes on behind a result.
 */
export async function runOperation(params: RunOperationParams): Promise<OperationResult> {
  const { operation, entry, clock } = params;
  const watch = watchForStall({
    stallAfterMs: wallLimited.has(operation.kind) ? null : stepDefinitions[operation.kind].stallAfterMs,
    clock,
    ...(params.workDone === undefined ? {} : { workDone: params.workDone }),
  });
  const signal = AbortSignal.any([params.signal, watch.signal]);
  const context = createContext(params, watch, signal);
  try {
    const output = await withGrace(perform(params, context), signal, params);
    if (entry !== null) return { type: 'undone', resourceKey: entry.resourceKey };
    return { type: 'succeeded', output: output ?? null };
  } catch (thrown) {
    return judge(params, watch, thrown);
  } finally {
    watch.stop();
  }
}
