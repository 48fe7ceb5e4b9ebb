import { describe, expect, test } from 'vitest';
import { applyEvent } from './applyEvent.ts';
import { isRetryable, retryDelayMs } from './retry.ts';
import { createBench, storedError, type Bench } from './testing/bench.ts';

function started(): Bench {
  const bench = createBench();
  bench.decide();
  return bench;
}

describe('words of an agent', () => {
  test('move a step from dispatched over running to succeeded', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    bench.nowMs = 2_000;
    expect(bench.apply({ type: 'accepted', opId, stepKey, epoch })).toBeNull();
    expect(bench.step(stepKey).state).toBe('running');
    bench.apply({ type: 'succeeded', opId, stepKey, epoch, output: { ok: true } });
    expect(bench.step(stepKey)).toMatchObject({
      state: 'succeeded',
      output: { ok: true },
      startedAtMs: 1_000,
      completedAtMs: 2_000,
    });
  });

  test('may leave out data', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    bench.apply({ type: 'checkpoint', opId, stepKey, epoch });
    bench.apply({ type: 'succeeded', opId, stepKey, epoch });
    expect(bench.step(stepKey)).toMatchObject({ state: 'succeeded', output: null, checkpoint: null });
  });

  test('a result that was stored wins over a command nobody confirmed', () => {
    const bench = started();
    expect(bench.succeed('analyze-source')).toBeNull();
    expect(bench.step('analyze-source').state).toBe('succeeded');
  });

  test('a checkpoint counts as a sign of life and is kept for the next attempt', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    bench.apply({ type: 'checkpoint', opId, stepKey, epoch, data: { offsetBytes: 5 } });
    bench.apply({ type: 'checkpoint', opId, stepKey, epoch, data: { offsetBytes: 9 } });
    expect(bench.step(stepKey)).toMatchObject({ state: 'running', checkpoint: { offsetBytes: 9 } });
    bench.fail(stepKey, 'PROCESS_STALLED');
    expect(bench.step(stepKey)).toMatchObject({ state: 'waiting', checkpoint: { offsetBytes: 9 } });
  });

  test('that come twice, late or for somebody else change nothing and say why', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    bench.apply({ type: 'accepted', opId, stepKey, epoch });
    const before = bench.job;
    const reasons = [
      bench.apply({ type: 'accepted', opId, stepKey, epoch }),
      bench.apply({ type: 'succeeded', opId: 'op-x', stepKey, epoch }),
      bench.apply({ type: 'succeeded', opId, stepKey, epoch: epoch + 1 }),
      bench.apply({ type: 'succeeded', opId, stepKey: 'nope', epoch }),
      bench.apply({ type: 'ledger-gone', opId, stepKey, epoch, resourceKey: 'nope' }),
      bench.apply({ type: 'undo-failed', opId, stepKey, epoch, resourceKey: 'x', error: storedError('X') }),
      bench.apply({ type: 'agent-lost', opId: 'op-x' }),
    ];
    expect(reasons).toEqual([
      'step analyze-source is running already',
      'operation op-x is not the current one of step analyze-source',
      `operation ${opId} is not the current one of step analyze-source`,
      'there is no step nope',
      'no ledger row nope of step analyze-source',
      `operation ${opId} is not undoing x`,
      'operation op-x is not in flight',
    ]);
    expect(bench.job).toBe(before);
    bench.succeed(stepKey);
    expect(bench.succeed(stepKey)).toBe('step analyze-source is succeeded already');
  });
});

describe('a failed attempt', () => {
  test('is repeated after a back-off when the error allows it', () => {
    const bench = started();
    bench.fail('analyze-source', 'PROCESS_STALLED');
    expect(bench.step('analyze-source')).toMatchObject({
      state: 'waiting',
      notBeforeMs: 2_000,
      error: { code: 'PROCESS_STALLED' },
    });
    expect(bench.decide()).toEqual([]);
    bench.nowMs = 2_000;
    bench.decide();
    expect(bench.step('analyze-source')).toMatchObject({ state: 'dispatched', attempt: 2, error: null });
  });

  test('of an old operation does not count against the new one', () => {
    const bench = started();
    const old = bench.command('analyze-source');
    bench.fail('analyze-source', 'PROCESS_STALLED');
    bench.nowMs = 5_000;
    bench.decide();
    const { opId, stepKey, epoch } = old;
    expect(bench.apply({ type: 'succeeded', opId, stepKey, epoch })).toContain('not the current one');
    expect(bench.step(stepKey).state).toBe('dispatched');
  });

  test('waits as long as chance says', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    const error = storedError('PROCESS_STALLED');
    const { job } = applyEvent(bench.job, { type: 'failed', opId, stepKey, epoch, error }, 1_000, 0.25);
    expect(job.steps[0]?.notBeforeMs).toBe(1_250);
  });

  test('ends the job when its attempts are used up, after what is in flight ended', () => {
    const bench = started();
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      bench.fail('analyze-source', 'PROCESS_STALLED');
      bench.nowMs += 60_000;
      bench.decide();
    }
    expect(bench.step('analyze-source')).toMatchObject({ state: 'failed', attempt: 3 });
    expect(bench.job.state).toBe('running');
    bench.succeed('validate-target');
    expect(bench.job).toMatchObject({ state: 'failed', error: { code: 'PROCESS_STALLED' } });
    expect(bench.effects.at(-1)).toEqual({ type: 'job-ended', state: 'failed' });
  });

  test.each(['INPUT_INVALID', 'A_CODE_OF_THE_FUTURE'])('with code %s is final at once', (code) => {
    const bench = started();
    bench.fail('analyze-source', code);
    expect(bench.step('analyze-source').state).toBe('failed');
  });
});

describe('retry by an operator', () => {
  test('goes on at the failed step with a new series of attempts', () => {
    const bench = started();
    bench.fail('analyze-source', 'INPUT_INVALID');
    bench.succeed('validate-target');
    bench.apply({ type: 'retry' });
    expect(bench.job).toMatchObject({ state: 'running', error: null });
    expect(bench.step('analyze-source')).toMatchObject({ state: 'dispatched', attempt: 2 });
    expect(bench.step('validate-target')).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  test('is possible while other steps still run', () => {
    const bench = started();
    bench.fail('analyze-source', 'INPUT_INVALID');
    bench.apply({ type: 'retry' });
    expect(bench.step('analyze-source').state).toBe('dispatched');
    expect(bench.step('validate-target').state).toBe('dispatched');
  });

  test('redoes a lost preparation and what was built on it', () => {
    const bench = started();
    bench.runThrough('boot-test');
    bench.succeed('transfer-disk:1');
    bench.fail('transfer-disk:0', 'INPUT_INVALID');
    bench.apply({ type: 'retry', redo: ['prepare-guest'] });
    expect(bench.job.steps.map((step) => step.state).slice(0, 7)).toEqual([
      'succeeded',
      'succeeded',
      'dispatched',
      'waiting',
      'waiting',
      'waiting',
      'waiting',
    ]);
    expect(bench.step('transfer-disk:1')).toMatchObject({ output: null, checkpoint: null, attempt: 1 });
    expect(bench.job.ledger.map((row) => row.resourceKey)).toEqual(['overlay:0', 'disk', 'disk']);
  });

  test('redoes the preparation by itself when its overlay was not found', () => {
    const bench = started();
    bench.runThrough('boot-test');
    bench.fail('transfer-disk:0', 'STEP_OVERLAY_MISSING');
    bench.succeed('transfer-disk:1');
    bench.apply({ type: 'retry' });
    expect(bench.step('prepare-guest')).toMatchObject({ state: 'dispatched', attempt: 2 });
    expect(bench.step('transfer-disk:0').state).toBe('waiting');
  });

  test('redoes a step that waits for the end of its back-off', () => {
    const bench = started();
    bench.runThrough('boot-test');
    bench.fail('transfer-disk:1', 'PROCESS_STALLED');
    bench.fail('transfer-disk:0', 'INPUT_INVALID');
    bench.apply({ type: 'retry', redo: ['prepare-guest'] });
    expect(bench.step('transfer-disk:1')).toMatchObject({ state: 'waiting', error: null, notBeforeMs: 0 });
  });

  test('refuses to redo what a VM was made from', () => {
    const bench = started();
    bench.runThrough('create-vm');
    bench.fail('start-and-verify', 'INPUT_INVALID');
    expect(() => bench.apply({ type: 'retry', redo: ['prepare-guest'] })).toThrow(
      expect.objectContaining({ code: 'RESTORE_INVALIDATE_REFUSED' }),
    );
    expect(() => bench.apply({ type: 'retry', redo: ['nope'] })).toThrow(
      expect.objectContaining({ code: 'RESTORE_STEP_UNKNOWN' }),
    );
  });

  test('redoes a step behind the VM', () => {
    const bench = started();
    bench.runThrough('start-and-verify');
    bench.fail('configure-vm', 'INPUT_INVALID');
    bench.apply({ type: 'retry', redo: ['start-and-verify'] });
    expect(bench.step('start-and-verify').state).toBe('dispatched');
  });
});

describe('a lost agent', () => {
  test('makes its step wait for a new attempt with a higher epoch', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    bench.offline.add('agent-a');
    bench.apply({ type: 'agent-lost', opId });
    expect(bench.step(stepKey)).toMatchObject({
      state: 'waiting',
      opId,
      error: { code: 'RESTORE_AGENT_LOST' },
    });
    bench.offline.clear();
    bench.decide();
    expect(bench.command(stepKey)).toMatchObject({ attempt: 2, epoch: epoch + 1 });
    expect(bench.apply({ type: 'succeeded', opId, stepKey, epoch })).toContain('not the current one');
  });

  test('that comes back in time is taken up again', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    bench.offline.add('agent-a');
    bench.apply({ type: 'agent-lost', opId });
    bench.apply({ type: 'accepted', opId, stepKey, epoch });
    expect(bench.step(stepKey)).toMatchObject({ state: 'running', attempt: 1 });
    bench.apply({ type: 'agent-lost', opId });
    expect(bench.apply({ type: 'succeeded', opId, stepKey, epoch, output: 1 })).toBeNull();
    expect(bench.step(stepKey)).toMatchObject({ state: 'succeeded', output: 1 });
  });

  test('is not waited for again and again without end', () => {
    const bench = started();
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      expect(bench.step('analyze-source').state).toBe('dispatched');
      bench.apply({ type: 'agent-lost', opId: bench.command('analyze-source').opId });
    }
    expect(bench.step('analyze-source')).toMatchObject({
      state: 'failed',
      error: { code: 'RESTORE_AGENT_LOST' },
    });
  });

  test('that was shut down hands the step back without being asked', () => {
    const bench = started();
    const { opId, stepKey, epoch } = bench.command('analyze-source');
    bench.apply({ type: 'cancelled', opId, stepKey, epoch });
    expect(bench.step(stepKey)).toMatchObject({ state: 'dispatched', attempt: 2, epoch });
  });
});

describe('facts about resources', () => {
  test('count from any operation, even an old one', () => {
    const bench = started();
    bench.runThrough('validate-target');
    const { opId, stepKey, epoch } = bench.command('prepare-guest');
    bench.apply({ type: 'agent-lost', opId });
    bench.apply({ type: 'ledger-present', opId, stepKey, epoch, resourceKey: 'overlay:0', token: 't' });
    expect(bench.job.ledger).toMatchObject([{ state: 'present', token: 't', opId }]);
  });

  test('a token that is known already is no news, a new one replaces it', () => {
    const bench = started();
    bench.runThrough('prepare-guest');
    const { opId, stepKey, epoch } = bench.command('prepare-guest');
    const fact = { type: 'ledger-present', opId, stepKey, epoch, resourceKey: 'overlay:0' } as const;
    expect(bench.apply({ ...fact, token: { id: stepKey } })).toContain('present already');
    expect(bench.apply(fact)).toBeNull();
    expect(bench.job.ledger[0]?.token).toBeNull();
  });

  test('another step may say that a resource is gone when the key names one only', () => {
    const bench = started();
    bench.runThrough('configure-vm');
    const { opId, stepKey, epoch } = bench.command('finalize');
    const fact = { type: 'ledger-gone', opId, stepKey, epoch } as const;
    expect(bench.apply({ ...fact, resourceKey: 'overlay:0' })).toBeNull();
    expect(bench.apply({ ...fact, resourceKey: 'overlay:0' })).toContain('gone already');
    expect(bench.apply({ ...fact, resourceKey: 'disk' })).toContain('no ledger row');
    expect(bench.job.ledger.map((row) => row.state)).toEqual(['gone', 'present', 'present', 'present']);
  });

  test('a resource that was removed gets a new intent when its step runs again', () => {
    const bench = started();
    bench.runThrough('boot-test');
    const { opId, stepKey, epoch } = bench.command('transfer-disk:0');
    bench.apply({ type: 'ledger-present', opId, stepKey, epoch, resourceKey: 'disk', token: 1 });
    bench.apply({ type: 'ledger-gone', opId, stepKey, epoch, resourceKey: 'disk' });
    bench.fail(stepKey, 'PROCESS_STALLED');
    bench.nowMs += 60_000;
    bench.decide();
    const row = bench.job.ledger.find((entry) => entry.stepKey === stepKey);
    expect(row).toMatchObject({ state: 'intended', token: null, opId: bench.command(stepKey).opId });
  });
});

describe('back-off', () => {
  const policy = { maxAttempts: 5, baseDelayMs: 1_000, maxDelayMs: 5_000 };

  test.each([
    [1, 1, 1_000],
    [2, 1, 2_000],
    [4, 1, 5_000],
    [4, 0.5, 2_500],
    [9, 0, 0],
  ])('of attempt %i with chance %d is %i ms', (attempt, jitter, expected) => {
    expect(retryDelayMs(policy, attempt, jitter)).toBe(expected);
  });

  test.each([
    ['PROCESS_STALLED', true],
    ['PLAN_STORAGE_FULL', true],
    ['INPUT_INVALID', false],
    ['INTERNAL_BUG', false],
    ['NOT_A_CODE', false],
  ])('%s may be repeated: %s', (code, expected) => {
    expect(isRetryable({ code })).toBe(expected);
  });
});
