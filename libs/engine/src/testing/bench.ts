import type { JobStep, RestoreJob, StoredError } from '@ascend/domain';
import { applyEvent } from '../applyEvent.ts';
import { decide, type DecideParams } from '../decide.ts';
import type { DispatchEffect, Effect } from '../effect.ts';
import type { JobEvent } from '../event.ts';
import { createJob, stepOf } from '../job.ts';
import { samplePlan } from './samplePlan.ts';

/** An error as an agent would send it. */
export function storedError(code: string): StoredError {
  return { code, message: `test: ${code}`, hint: '', details: {}, causes: [] };
}

/** A job on the bench: applies events, decides after each as the projector does, and remembers every effect. */
export interface Bench {
  job: RestoreJob;
  nowMs: number;
  readonly effects: Effect[];
  readonly offline: Set<string>;
  readonly busyKeys: Set<string>;
  /** Effects of this call only. */
  decide(): readonly Effect[];
  /** Applies an event and decides; returns why it was ignored. */
  apply(event: JobEvent): string | null;
  step(key: string): JobStep;
  /** The newest command of a step. @throws {Error} when there is none */
  command(key: string): DispatchEffect;
  /** Says that the newest command of a step ended well. */
  succeed(key: string, output?: unknown): string | null;
  fail(key: string, code: string): string | null;
  /** Answers the newest undo command; returns its resource. */
  undoNext(): string | null;
  /** Runs everything up to and including the step. */
  runThrough(key: string): void;
}

/** Places a job on the bench; default: the sample plan, not yet decided. */
export function createBench(job: RestoreJob = createJob(samplePlan(), 'job-1')): Bench {
  let ops = 0;
  const params = (): DecideParams => ({
    nowMs: bench.nowMs,
    newOpId: () => `op-${(ops += 1)}`,
    isAgentOnline: (agentId) => !bench.offline.has(agentId),
    busyKeys: bench.busyKeys,
  });
  const bench: Bench = {
    job,
    nowMs: 1_000,
    effects: [],
    offline: new Set(),
    busyKeys: new Set(),
    decide() {
      const decision = decide(bench.job, params());
      bench.job = decision.job;
      bench.effects.push(...decision.effects);
      return decision.effects;
    },
    apply(event) {
      const applied = applyEvent(bench.job, event, bench.nowMs);
      bench.job = applied.job;
      bench.effects.push(...applied.effects);
      bench.decide();
      return applied.ignored;
    },
    step: (key) => stepOf(bench.job, key),
    command(key) {
      const found = bench.effects.findLast((effect) => effect.type === 'dispatch' && effect.stepKey === key);
      if (found?.type !== 'dispatch') throw new Error(`no command for ${key}`);
      return found;
    },
    succeed(key, output = null) {
      const { opId, stepKey, epoch } = bench.command(key);
      return bench.apply({ type: 'succeeded', opId, stepKey, epoch, output });
    },
    fail(key, code) {
      const { opId, stepKey, epoch } = bench.command(key);
      return bench.apply({ type: 'failed', opId, stepKey, epoch, error: storedError(code) });
    },
    undoNext() {
      const found = bench.effects.findLast((effect) => effect.type === 'dispatch');
      if (found?.type !== 'dispatch' || found.resourceKey === null) return null;
      const { opId, stepKey, epoch, resourceKey } = found;
      bench.apply({ type: 'undone', opId, stepKey, epoch, resourceKey });
      return resourceKey;
    },
    runThrough(key) {
      bench.decide();
      for (const step of bench.job.plan.steps) {
        const { opId, stepKey, epoch } = bench.command(step.key);
        for (const { resourceKey } of step.resources) {
          bench.apply({ type: 'ledger-present', opId, stepKey, epoch, resourceKey, token: { id: stepKey } });
        }
        bench.succeed(step.key, `output of ${step.key}`);
        if (step.key === key) return;
      }
    },
  };
  return bench;
}
