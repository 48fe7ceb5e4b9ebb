import { describe, expect, test } from 'vitest';
import { decide } from './decide.ts';
import type { Effect } from './effect.ts';
import { createJob, jobKeys, outputsFor, planStepOf, stepOf } from './job.ts';
import { createBench } from './testing/bench.ts';
import { samplePlan } from './testing/samplePlan.ts';

function dispatched(effects: readonly Effect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.type === 'dispatch' ? [effect.stepKey] : []));
}

describe('a new job', () => {
  test('is refused when the plan is blocked, with the codes of what blocks it', () => {
    const about = { subject: 'target', message: 'no room', evidence: '', action: '' };
    const plan = samplePlan({
      findings: [
        { ...about, code: 'PLAN_STORAGE_FULL', severity: 'blocked' },
        { ...about, code: 'PLAN_NETWORK_GUESSED', severity: 'warning' },
      ],
    });
    expect(() => createJob(plan, 'job-1')).toThrow(
      expect.objectContaining({
        code: 'PLAN_BLOCKED',
        details: { planId: 'plan-1', codes: ['PLAN_STORAGE_FULL'] },
      }),
    );
  });

  test('dispatches all steps that wait for nothing', () => {
    const bench = createBench();
    expect(dispatched(bench.decide())).toEqual(['analyze-source', 'validate-target']);
    expect(bench.job.state).toBe('running');
    expect(bench.command('validate-target')).toEqual({
      type: 'dispatch',
      opId: 'op-2',
      stepKey: 'validate-target',
      attempt: 1,
      epoch: 1,
      agentId: 'agent-b',
      deadlineMs: 3_601_000,
      mode: 'run',
      resourceKey: null,
    });
  });

  test('holds the name of its VM on the target from start to end', () => {
    expect(jobKeys(samplePlan())).toEqual(['name:local:pgtest1']);
  });
});

describe('deciding', () => {
  test('a second time gives nothing new, at any point of a restore', () => {
    const bench = createBench();
    for (const step of bench.job.plan.steps) {
      bench.decide();
      expect(bench.decide()).toEqual([]);
      bench.succeed(step.key);
    }
    expect(bench.decide()).toEqual([]);
    expect(bench.job.state).toBe('completed');
  });

  test('writes intents with deterministic names before the command that creates', () => {
    const bench = createBench();
    bench.runThrough('transfer-disk:1');
    const effects = bench.effects.filter(
      (effect) =>
        effect.type === 'ledger-intent' || (effect.type === 'dispatch' && effect.stepKey === 'create-vm'),
    );
    expect(effects.at(-2)).toMatchObject({
      type: 'ledger-intent',
      entry: {
        name: 'ascend-job-1-create-vm-vm',
        state: 'intended',
        kind: 'vm',
        opId: bench.command('create-vm').opId,
      },
    });
    expect(effects.at(-1)).toMatchObject({ type: 'dispatch' });
  });

  test('runs transfers in parallel and the VM after all of them', () => {
    const bench = createBench();
    bench.runThrough('boot-test');
    expect(bench.job.steps.filter((step) => step.state === 'dispatched').map((step) => step.key)).toEqual([
      'transfer-disk:0',
      'transfer-disk:1',
    ]);
    bench.succeed('transfer-disk:1');
    expect(bench.step('create-vm').state).toBe('waiting');
    bench.succeed('transfer-disk:0');
    expect(bench.step('create-vm').state).toBe('dispatched');
  });

  test('waits for an agent that is offline', () => {
    const bench = createBench();
    bench.offline.add('agent-b');
    expect(dispatched(bench.decide())).toEqual(['analyze-source']);
    bench.offline.clear();
    expect(dispatched(bench.decide())).toEqual(['validate-target']);
  });

  test('waits for keys that other jobs hold', () => {
    const bench = createBench();
    bench.busyKeys.add('boot:agent-a');
    bench.runThrough('prepare-guest');
    expect(bench.step('boot-test').state).toBe('waiting');
    bench.busyKeys.clear();
    expect(dispatched(bench.decide())).toEqual(['boot-test']);
  });

  test('never runs two steps of one job on the same key', () => {
    const steps = samplePlan().steps.map((step) =>
      step.dependsOn.length === 0 ? Object.assign({}, step, { concurrencyKeys: ['one'] }) : step,
    );
    const bench = createBench(createJob(samplePlan({ steps }), 'job-1'));
    expect(dispatched(bench.decide())).toEqual(['analyze-source']);
    expect(dispatched(bench.decide())).toEqual([]);
    bench.succeed('analyze-source');
    expect(bench.step('validate-target').state).toBe('dispatched');
  });

  test('says once that the job ended', () => {
    const bench = createBench();
    bench.runThrough('finalize');
    expect(bench.effects.filter((effect) => effect.type === 'job-ended')).toEqual([
      { type: 'job-ended', state: 'completed' },
    ]);
  });

  test('works without knowing other jobs', () => {
    const decision = decide(createJob(samplePlan(), 'job-1'), {
      nowMs: 1,
      newOpId: () => 'op',
      isAgentOnline: () => true,
    });
    expect(dispatched(decision.effects)).toHaveLength(2);
  });

  test('tells every change of job, step and ledger as history', () => {
    const bench = createBench();
    bench.runThrough('prepare-guest');
    const lines = bench.effects.flatMap((effect) =>
      effect.type === 'event'
        ? [`${effect.event} ${effect.data['stepKey'] ?? ''} ${effect.data['state']}`]
        : [],
    );
    expect(lines).toEqual([
      'step-state analyze-source dispatched',
      'step-state validate-target dispatched',
      'job-state  running',
      'step-state analyze-source succeeded',
      'step-state validate-target succeeded',
      'ledger-state prepare-guest intended',
      'step-state prepare-guest dispatched',
      'ledger-state prepare-guest present',
      'step-state prepare-guest succeeded',
      'step-state boot-test dispatched',
    ]);
  });
});

describe('pause', () => {
  test('lets running steps end and dispatches nothing until resume', () => {
    const bench = createBench();
    bench.decide();
    bench.apply({ type: 'pause' });
    expect(bench.job.state).toBe('running');
    bench.succeed('analyze-source');
    bench.succeed('validate-target');
    expect(bench.job.state).toBe('paused');
    expect(bench.step('prepare-guest').state).toBe('waiting');
    expect(bench.apply({ type: 'pause' })).toBe('the job is paused already');
    bench.apply({ type: 'resume' });
    expect(bench.job.state).toBe('running');
    expect(bench.step('prepare-guest').state).toBe('dispatched');
    expect(bench.apply({ type: 'resume' })).toBe('the job is not paused already');
  });

  test('before the first step keeps the job from starting', () => {
    const bench = createBench();
    bench.apply({ type: 'pause' });
    expect(bench.job.state).toBe('paused');
    expect(dispatched(bench.effects)).toEqual([]);
  });
});

describe('lookups', () => {
  const job = createJob(samplePlan(), 'job-1');

  test.each([stepOf, planStepOf])('of an unknown step say which', (lookup) => {
    expect(() => lookup(job, 'nope')).toThrow(expect.objectContaining({ code: 'RESTORE_STEP_UNKNOWN' }));
  });

  test('of outputs find those of all earlier steps', () => {
    const bench = createBench();
    bench.runThrough('prepare-guest');
    expect(outputsFor(bench.job, 'boot-test')).toEqual({
      'analyze-source': 'output of analyze-source',
      'validate-target': 'output of validate-target',
      'prepare-guest': 'output of prepare-guest',
    });
    expect(outputsFor(bench.job, 'analyze-source')).toEqual({});
    expect(Object.keys(outputsFor(bench.job, 'create-vm')).sort()).toEqual([
      'analyze-source',
      'boot-test',
      'prepare-guest',
      'transfer-disk:0',
      'transfer-disk:1',
      'validate-target',
    ]);
  });
});
