import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LedgerEntry, RestoreJob, StepProgress } from '@ascend/domain';
import {
  applyEvent,
  decide,
  outputsFor,
  stepOf,
  type DispatchEffect,
  type Effect,
  type JobEvent,
} from '@ascend/engine';
import { serializeError } from '@ascend/errors';
import { childWork, newId, systemClock, type Logger } from '@ascend/runtime';
import { handlers, runOperation, suspension, type OperationResult, type TargetAccess } from '@ascend/steps';
import type { ApplianceSetup, GuestSources } from '@ascend/guest';
import type { JobFile } from './jobFile.ts';

/** What a local run needs beside the job. */
export interface DriveParams {
  readonly jobFile: JobFile;
  readonly target: TargetAccess;
  /** Private folder of this restore; overlays and scratch lie below it. */
  readonly workDir: string;
  /** Absent: no appliance is used. */
  readonly appliance?: ApplianceSetup;
  /** What this machine has for guests. */
  readonly guestSources: GuestSources;
  readonly logger: Logger;
  /** Ctrl-C: operations are suspended, a later run with the same folder goes on. */
  readonly signal: AbortSignal;
  /** Ask for a retry when the job was left failed. */
  readonly retryFailed: boolean;
  readonly onProgress: (progress: StepProgress) => void;
  readonly onChange: (job: RestoreJob) => void;
}

/** The only agent of a local run. */
export const localAgentId = 'local';

/** Longest time between two looks at the job: back-off times end without an event. */
const tickMs = 1000;

interface Driver {
  job: RestoreJob;
  readonly running: Map<string, Promise<void>>;
  readonly cancels: Map<string, AbortController>;
  wake: () => void;
}

const ended = new Set(['completed', 'failed', 'cancelled', 'rolled_back']);

function toEvent(effect: DispatchEffect, result: OperationResult): JobEvent | null {
  const ref = { opId: effect.opId, stepKey: effect.stepKey, epoch: effect.epoch };
  switch (result.type) {
    case 'succeeded':
      return { ...ref, type: 'succeeded', output: result.output };
    case 'failed':
      return { ...ref, type: 'failed', error: serializeError(result.error) };
    case 'undo-failed':
      return {
        ...ref,
        type: 'undo-failed',
        resourceKey: result.resourceKey,
        error: serializeError(result.error),
      };
    case 'undone':
      return { ...ref, type: 'undone', resourceKey: result.resourceKey };
    case 'cancelled':
      return { ...ref, type: 'cancelled' };
    case 'suspended':
      return null;
    default:
      return result satisfies never;
  }
}

function apply(driver: Driver, params: DriveParams, event: JobEvent): void {
  const applied = applyEvent(driver.job, event, systemClock.now());
  if (applied.ignored !== null) params.logger.debug('event changed nothing', { reason: applied.ignored });
  driver.job = applied.job;
  params.jobFile.save(
    driver.job,
    applied.effects.map(({ event: name, data }) => ({ event: name, data })),
  );
  driver.wake();
}

function entryOf(job: RestoreJob, effect: DispatchEffect): LedgerEntry | null {
  if (effect.mode === 'run') return null;
  return (
    job.ledger.find((row) => row.stepKey === effect.stepKey && row.resourceKey === effect.resourceKey) ?? null
  );
}

async function perform(driver: Driver, params: DriveParams, effect: DispatchEffect): Promise<void> {
  const { job } = driver;
  const plan = job.plan.steps.find((step) => step.key === effect.stepKey);
  if (plan === undefined) return;
  const ref = { opId: effect.opId, stepKey: effect.stepKey, epoch: effect.epoch };
  const cancel = new AbortController();
  driver.cancels.set(effect.opId, cancel);
  const suspend = (): void => cancel.abort(suspension);
  if (params.signal.aborted) suspend();
  params.signal.addEventListener('abort', suspend, { once: true });
  const note = (event: JobEvent): Promise<void> => Promise.resolve(apply(driver, params, event));
  await note({ ...ref, type: 'accepted' });
  const workDir = join(params.workDir, 'work');
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const result = await runOperation({
    operation: {
      opId: effect.opId,
      jobId: job.jobId,
      stepKey: effect.stepKey,
      kind: plan.kind,
      attempt: effect.attempt,
      epoch: effect.epoch,
      diskIndex: plan.diskIndex,
      plan: job.plan,
      outputs: outputsFor(job, effect.stepKey),
      checkpoint: stepOf(job, effect.stepKey).checkpoint,
      ledger: job.ledger,
    },
    entry: entryOf(job, effect),
    handlers,
    journal: {
      checkpoint: (data) => note({ ...ref, type: 'checkpoint', data }),
      present: (resourceKey, token) => note({ ...ref, type: 'ledger-present', resourceKey, token }),
      gone: (resourceKey, stepKey) =>
        note({ ...ref, stepKey: stepKey ?? ref.stepKey, type: 'ledger-gone', resourceKey }),
    },
    target: params.target,
    workDir,
    guestSources: params.guestSources,
    logger: params.logger,
    clock: systemClock,
    signal: cancel.signal,
    report: params.onProgress,
    workDone: () => childWork(process.pid),
    ...(params.appliance === undefined ? {} : { appliance: params.appliance }),
  });
  params.signal.removeEventListener('abort', suspend);
  driver.cancels.delete(effect.opId);
  const event = toEvent(effect, result);
  if (event !== null) await note(event);
}

function carryOut(driver: Driver, params: DriveParams, effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.type === 'cancel-op') driver.cancels.get(effect.opId)?.abort();
    if (effect.type === 'dispatch') {
      const work = perform(driver, params, effect).finally(() => {
        driver.running.delete(effect.opId);
        driver.wake();
      });
      driver.running.set(effect.opId, work);
    }
  }
}

/** Operations that ran when the last process died are over: their steps start again from the last checkpoint. */
function adoptOrphans(driver: Driver, params: DriveParams): void {
  const open = [
    ...driver.job.steps
      .filter((step) => step.state === 'dispatched' || step.state === 'running')
      .map((step) => step.opId),
    ...driver.job.ledger.filter((row) => row.state === 'deleting').map((row) => row.opId),
  ];
  for (const opId of open) if (opId !== null) apply(driver, params, { type: 'agent-lost', opId });
}

/**
 * Runs a job in this process until it has ended or `signal` fires. The same engine and the same step code as the
 * control plane and its agents; the job file stands for both ledgers. Returns the job as it was left.
 */
export async function driveJob(initial: RestoreJob, params: DriveParams): Promise<RestoreJob> {
  const driver: Driver = { job: initial, running: new Map(), cancels: new Map(), wake: () => undefined };
  adoptOrphans(driver, params);
  if (params.retryFailed && driver.job.state === 'failed') apply(driver, params, { type: 'retry' });
  for (;;) {
    const woken = new Promise<void>((resolve) => {
      driver.wake = resolve;
    });
    if (!params.signal.aborted) {
      const decision = decide(driver.job, {
        nowMs: systemClock.now(),
        newOpId: newId,
        isAgentOnline: (agentId) => agentId === localAgentId,
      });
      const events = decision.effects.filter((effect) => effect.type === 'event');
      if (decision.effects.length > 0) {
        driver.job = decision.job;
        params.jobFile.save(driver.job, events);
        params.onChange(driver.job);
      }
      carryOut(driver, params, decision.effects);
    }
    if (driver.running.size === 0 && (ended.has(driver.job.state) || params.signal.aborted))
      return driver.job;
    await Promise.race([woken, systemClock.sleep(tickMs)]);
    params.onChange(driver.job);
  }
}
