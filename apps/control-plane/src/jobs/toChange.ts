import type { RestoreJob, StepProgress } from '@ascend/domain';
import {
  isInFlight,
  outputsFor,
  seedView,
  stepOf,
  type Decision,
  type DispatchEffect,
  type Effect,
  type EventEffect,
} from '@ascend/engine';
import { snakeName, type AgentAddress, type StepCommand } from '@ascend/protocol';
import type { JobChange, StoredBandwidth } from '@ascend/store';
import { estimateEnd } from './estimate.ts';

/** The target as a command carries it; secrets are asked for while the step runs (D18). */
export type CommandTarget = StepCommand['target'];

/** What a change needs to know beside the job. */
export interface ChangeContext {
  readonly nowMs: number;
  readonly target: CommandTarget | null;
  /** The cap of disk streams that an operator set; null = as planned. */
  readonly bandwidth: StoredBandwidth | null;
  addressOf(agentId: string): AgentAddress | null;
  readonly progress: ReadonlyMap<string, StepProgress>;
}

/** A change ready to be stored, and what is to be done around it. */
export interface PreparedChange {
  readonly change: JobChange;
  /** Operations that start with this change, with the concurrency keys each must hold. */
  readonly starts: readonly { readonly opId: string; readonly keys: readonly string[] }[];
  /** Operations that are over with this change: their keys are free. */
  readonly endedOps: readonly string[];
  /** To be told at once; repeated by the engine while they run. */
  readonly cancels: readonly { readonly address: AgentAddress; readonly opId: string }[];
  readonly ended: boolean;
}

/** One line of a job's history in API form. */
function presentEvent(effect: EventEffect): JobChange['events'][number] {
  const data: [string, unknown][] = Object.entries(effect.data).map(([key, value]) => [
    snakeName(key),
    value,
  ]);
  return { type: effect.event, data: Object.fromEntries(data) };
}

/** The view that older columns show (D20), from the newest counters. */
export function viewOf(
  job: RestoreJob,
  progress: ReadonlyMap<string, StepProgress>,
  nowMs: number,
): JobChange['view'] {
  const { status, progressPercent } = seedView(job, Object.fromEntries(progress));
  return { status, progressPercent, estimatedCompletionMs: estimateEnd(job, progressPercent, nowMs) };
}

/** The command of a dispatch: everything the agent needs, nothing secret. */
function commandOf(
  job: RestoreJob,
  dispatch: DispatchEffect,
  target: CommandTarget,
  bandwidth: StoredBandwidth | null,
): StepCommand {
  const planned = job.plan.steps.find((step) => step.key === dispatch.stepKey);
  return {
    v: 1,
    opId: dispatch.opId,
    jobId: job.jobId,
    stepKey: dispatch.stepKey,
    kind: planned?.kind ?? 'finalize',
    mode: dispatch.mode,
    resourceKey: dispatch.resourceKey,
    attempt: dispatch.attempt,
    epoch: dispatch.epoch,
    deadlineMs: dispatch.deadlineMs,
    plan: job.plan,
    outputs: outputsFor(job, dispatch.stepKey),
    checkpoint: stepOf(job, dispatch.stepKey).checkpoint,
    ledger: [...job.ledger],
    target,
    ...(bandwidth === null ? {} : { bandwidth }),
  };
}

function messagesOf(job: RestoreJob, effects: readonly Effect[], context: ChangeContext) {
  return effects.flatMap((effect) => {
    if (effect.type !== 'dispatch') return [];
    const address = context.addressOf(effect.agentId);
    // The engine dispatches to agents that are online only; those have an address and the target was read with them.
    if (address === null || context.target === null) return [];
    const payload = commandOf(job, effect, context.target, context.bandwidth);
    return [
      {
        msgId: effect.opId,
        type: 'command' as const,
        jobId: job.jobId,
        siteId: address.siteId,
        agentId: address.agentId,
        kind: payload.kind,
        payload,
      },
    ];
  });
}

function startsOf(job: RestoreJob, effects: readonly Effect[]): PreparedChange['starts'] {
  return effects.flatMap((effect) => {
    if (effect.type !== 'dispatch' || effect.mode === 'undo') return [];
    const planned = job.plan.steps.find((step) => step.key === effect.stepKey);
    return [{ opId: effect.opId, keys: planned?.concurrencyKeys ?? [] }];
  });
}

/** Operations in flight before that are not in flight after. */
function endedOpsOf(before: RestoreJob, after: RestoreJob): readonly string[] {
  const inFlight = new Set(after.steps.filter(isInFlight).map((step) => step.opId));
  return before.steps.flatMap((step) =>
    isInFlight(step) && step.opId !== null && !inFlight.has(step.opId) ? [step.opId] : [],
  );
}

/** Puts together what a decision means for rows, outbox, slots and agents. Pure. */
export function toChange(
  before: RestoreJob,
  applied: readonly EventEffect[],
  decision: Decision,
  context: ChangeContext,
): PreparedChange {
  const { job, effects } = decision;
  const endings = effects.filter((effect) => effect.type === 'job-ended');
  const history = [...applied, ...effects.filter((effect) => effect.type === 'event')].map(presentEvent);
  return {
    change: {
      after: job,
      view: viewOf(job, context.progress, context.nowMs),
      outbox: messagesOf(job, effects, context),
      events: [...history, ...endings.map(({ state }) => ({ type: 'job-ended', data: { state } }))],
    },
    starts: startsOf(job, effects),
    endedOps: endedOpsOf(before, job),
    cancels: effects.flatMap((effect) => {
      const address = effect.type === 'cancel-op' ? context.addressOf(effect.agentId) : null;
      return effect.type === 'cancel-op' && address !== null ? [{ address, opId: effect.opId }] : [];
    }),
    ended: endings.length > 0,
  };
}
