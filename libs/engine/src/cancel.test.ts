import { describe, expect, test } from 'vitest';
import { createBench, storedError, type Bench } from './testing/bench.ts';

function through(key: string): Bench {
  const bench = createBench();
  bench.runThrough(key);
  return bench;
}

function undoAll(bench: Bench): readonly (string | null)[] {
  const undone: (string | null)[] = [];
  while (bench.job.state === 'rolling_back') undone.push(bench.undoNext());
  return undone;
}

describe('cancel', () => {
  test('stops what is in flight, starts nothing new and keeps what was created', () => {
    const bench = through('boot-test');
    bench.apply({ type: 'cancel' });
    expect(bench.job.state).toBe('cancelling');
    const { opId, stepKey, epoch } = bench.command('transfer-disk:0');
    expect(bench.effects).toContainEqual({ type: 'cancel-op', opId, agentId: 'agent-b' });
    bench.apply({ type: 'cancelled', opId, stepKey, epoch });
    expect(bench.job.state).toBe('cancelling');
    bench.succeed('transfer-disk:1');
    expect(bench.job.state).toBe('cancelled');
    expect(bench.job.steps.map((step) => step.state).slice(3, 7)).toEqual([
      'succeeded',
      'cancelled',
      'succeeded',
      'skipped',
    ]);
    expect(bench.job.ledger.map((row) => row.state)).toEqual(['present', 'intended', 'intended']);
    expect(bench.effects.at(-1)).toEqual({ type: 'job-ended', state: 'cancelled' });
  });

  test('is told again every 10 s until the operation ended', () => {
    const bench = through('validate-target');
    const count = (): number => bench.effects.filter((effect) => effect.type === 'cancel-op').length;
    bench.apply({ type: 'cancel' });
    expect(count()).toBe(1);
    bench.nowMs += 9_999;
    bench.decide();
    expect(count()).toBe(1);
    bench.nowMs += 1;
    bench.decide();
    expect(count()).toBe(2);
  });

  test('takes a failure as an end, not as a reason to repeat', () => {
    const bench = through('validate-target');
    bench.apply({ type: 'cancel' });
    bench.fail('prepare-guest', 'PROCESS_STALLED');
    expect(bench.step('prepare-guest').state).toBe('failed');
    expect(bench.job.state).toBe('cancelled');
  });

  test('does not wait for an agent that was lost', () => {
    const bench = through('validate-target');
    bench.apply({ type: 'cancel' });
    bench.apply({ type: 'agent-lost', opId: bench.command('prepare-guest').opId });
    expect(bench.step('prepare-guest').state).toBe('cancelled');
    expect(bench.job.state).toBe('cancelled');
  });

  test('before the start ends the job at once', () => {
    const bench = createBench();
    bench.apply({ type: 'cancel' });
    expect(bench.job.state).toBe('cancelled');
    expect(bench.job.steps.every((step) => step.state === 'skipped')).toBe(true);
  });

  test('closes a failed job', () => {
    const bench = through('validate-target');
    bench.fail('prepare-guest', 'INPUT_INVALID');
    bench.apply({ type: 'cancel' });
    expect(bench.job).toMatchObject({ state: 'cancelled', error: { code: 'INPUT_INVALID' } });
  });

  test('asked twice counts once; asked again with rollback it does both', () => {
    const bench = through('boot-test');
    bench.apply({ type: 'cancel' });
    expect(bench.apply({ type: 'cancel' })).toBe('the job is being cancelled already');
    expect(bench.apply({ type: 'cancel', rollback: true })).toBeNull();
    bench.succeed('transfer-disk:0');
    bench.succeed('transfer-disk:1');
    expect(bench.job.state).toBe('rolling_back');
  });
});

describe('rollback', () => {
  test('walks the ledger backwards, one resource at a time, and ends when all are gone', () => {
    const bench = through('finalize');
    expect(bench.job.state).toBe('completed');
    bench.apply({ type: 'rollback' });
    expect(bench.job.ledger.map((row) => row.state)).toEqual(['present', 'present', 'present', 'deleting']);
    expect(bench.decide()).toEqual([]);
    expect(bench.apply({ type: 'rollback' })).toBe('the job is being rolled back already');
    expect(undoAll(bench)).toEqual(['vm', 'disk', 'disk', 'overlay:0']);
    expect(bench.job.state).toBe('rolled_back');
    expect(bench.effects.at(-1)).toEqual({ type: 'job-ended', state: 'rolled_back' });
  });

  test('sends each undo to the agent of the step that created, with a higher epoch', () => {
    const bench = through('create-vm');
    bench.fail('start-and-verify', 'INPUT_INVALID');
    bench.apply({ type: 'rollback' });
    expect(bench.command('create-vm')).toMatchObject({
      mode: 'undo',
      resourceKey: 'vm',
      agentId: 'agent-b',
      attempt: 2,
      epoch: 2,
    });
  });

  test('of a running job cancels first', () => {
    const bench = through('boot-test');
    bench.apply({ type: 'rollback' });
    expect(bench.job.state).toBe('cancelling');
    bench.succeed('transfer-disk:0');
    bench.succeed('transfer-disk:1');
    expect(undoAll(bench)).toEqual(['disk', 'disk', 'overlay:0']);
    expect(bench.job.state).toBe('rolled_back');
  });

  test('of a job that created nothing ends at once', () => {
    const bench = createBench();
    bench.apply({ type: 'cancel' });
    bench.apply({ type: 'rollback' });
    expect(bench.job.state).toBe('rolled_back');
  });

  test('also undoes what was only intended', () => {
    const bench = through('validate-target');
    bench.fail('prepare-guest', 'INPUT_INVALID');
    bench.apply({ type: 'rollback' });
    expect(undoAll(bench)).toEqual(['overlay:0']);
  });

  test('waits for an agent that is offline', () => {
    const bench = through('prepare-guest');
    bench.offline.add('agent-a');
    bench.apply({ type: 'rollback' });
    bench.apply({ type: 'agent-lost', opId: bench.command('boot-test').opId });
    expect(bench.job.state).toBe('rolling_back');
    expect(bench.job.ledger[0]?.state).toBe('present');
    bench.offline.clear();
    bench.decide();
    expect(bench.job.ledger[0]?.state).toBe('deleting');
  });

  test('repeats an undo that may be repeated, after a pause', () => {
    const bench = through('finalize');
    bench.apply({ type: 'rollback' });
    const { opId, stepKey, epoch } = bench.command('create-vm');
    const failure = { type: 'undo-failed', opId, stepKey, epoch, resourceKey: 'vm' } as const;
    bench.apply({ ...failure, error: storedError('PROCESS_STALLED') });
    expect(bench.apply({ ...failure, error: storedError('PROCESS_STALLED') })).toContain('is not undoing vm');
    expect(bench.job).toMatchObject({ state: 'rolling_back', ledger: [{}, {}, {}, { state: 'present' }] });
    expect(bench.step('create-vm').notBeforeMs).toBe(bench.nowMs + 4_000);
    bench.nowMs += 4_000;
    bench.decide();
    expect(bench.command('create-vm')).toMatchObject({ attempt: 3, mode: 'undo' });
  });

  test('sends an undo again that was stopped with its agent or refused unread', () => {
    const bench = through('finalize');
    bench.apply({ type: 'rollback' });
    const first = bench.command('create-vm');
    bench.apply({ type: 'cancelled', opId: first.opId, stepKey: first.stepKey, epoch: first.epoch });
    expect(bench.job.ledger[3]?.state).toBe('present');
    bench.nowMs += 300_000;
    bench.decide();
    expect(bench.job.ledger[3]).toMatchObject({ state: 'deleting', opId: bench.command('create-vm').opId });
    bench.fail('create-vm', 'PROCESS_STALLED');
    expect(bench.job).toMatchObject({ state: 'rolling_back', ledger: [{}, {}, {}, { state: 'present' }] });
    bench.nowMs += 300_000;
    bench.decide();
    bench.fail('create-vm', 'INPUT_INVALID');
    expect(bench.job.state).toBe('failed');
  });

  test('fails the job when an undo cannot succeed, and can be asked for again', () => {
    const bench = through('finalize');
    bench.apply({ type: 'rollback' });
    const { opId, stepKey, epoch } = bench.command('create-vm');
    const error = storedError('INPUT_INVALID');
    bench.apply({ type: 'undo-failed', opId, stepKey, epoch, resourceKey: 'vm', error });
    expect(bench.job).toMatchObject({ state: 'failed', error: { code: 'INPUT_INVALID' } });
    expect(bench.effects.at(-1)).toEqual({ type: 'job-ended', state: 'failed' });
    expect(() => bench.apply({ type: 'retry' })).toThrow(
      expect.objectContaining({ code: 'RESTORE_TRANSITION_ILLEGAL' }),
    );
    bench.apply({ type: 'rollback' });
    expect(undoAll(bench)).toEqual(['vm', 'disk', 'disk', 'overlay:0']);
    expect(bench.job.state).toBe('rolled_back');
  });

  test('sends an undo again when its agent was lost; the answer of the old one still counts', () => {
    const bench = through('finalize');
    bench.apply({ type: 'rollback' });
    const old = bench.command('create-vm');
    bench.apply({ type: 'agent-lost', opId: old.opId });
    expect(bench.command('create-vm')).toMatchObject({ attempt: 3, epoch: old.epoch + 1 });
    const { opId, stepKey, epoch } = old;
    expect(bench.apply({ type: 'undone', opId, stepKey, epoch, resourceKey: 'vm' })).toBeNull();
    expect(bench.command('transfer-disk:1')).toMatchObject({ mode: 'undo' });
  });

  test('keeps deleting when the creation is confirmed only now', () => {
    const bench = through('boot-test');
    const { opId, stepKey, epoch } = bench.command('transfer-disk:1');
    bench.apply({ type: 'rollback' });
    bench.fail('transfer-disk:0', 'INPUT_INVALID');
    bench.fail('transfer-disk:1', 'INPUT_INVALID');
    bench.apply({ type: 'ledger-present', opId, stepKey, epoch, resourceKey: 'disk', token: 7 });
    expect(bench.job.ledger[2]).toMatchObject({ state: 'deleting', token: 7 });
  });

  test('lets a resource that shows up again wait for its turn', () => {
    const bench = through('finalize');
    const { opId, stepKey, epoch } = bench.command('create-vm');
    bench.apply({ type: 'rollback' });
    bench.undoNext();
    bench.apply({ type: 'ledger-present', opId, stepKey, epoch, resourceKey: 'vm', token: 7 });
    expect(bench.job.ledger.map((row) => row.state)).toEqual(['present', 'present', 'deleting', 'present']);
    expect(undoAll(bench)).toEqual(['disk', 'vm', 'disk', 'overlay:0']);
  });

  test('is reopened by a resource that shows up afterwards', () => {
    const bench = through('boot-test');
    const { opId, stepKey, epoch } = bench.command('transfer-disk:0');
    bench.apply({ type: 'rollback' });
    bench.apply({ type: 'agent-lost', opId });
    bench.succeed('transfer-disk:1');
    undoAll(bench);
    expect(bench.job.state).toBe('rolled_back');
    bench.apply({ type: 'ledger-present', opId, stepKey, epoch, resourceKey: 'disk', token: 7 });
    expect(bench.job.state).toBe('rolling_back');
    expect(undoAll(bench)).toEqual(['disk']);
    expect(bench.job.state).toBe('rolled_back');
  });
});

describe('what the state of a job does not allow', () => {
  test.each<readonly [string, () => Bench, Parameters<Bench['apply']>[0]]>([
    ['retry of a running job', () => through('boot-test'), { type: 'retry' }],
    ['retry of a completed job', () => through('finalize'), { type: 'retry' }],
    ['cancel of a completed job', () => through('finalize'), { type: 'cancel' }],
    ['pause of a completed job', () => through('finalize'), { type: 'pause' }],
    ['resume of a completed job', () => through('finalize'), { type: 'resume' }],
  ])('%s is refused', (_title, make, event) => {
    const bench = make();
    expect(() => bench.apply(event)).toThrow(expect.objectContaining({ code: 'RESTORE_TRANSITION_ILLEGAL' }));
  });

  test.each<readonly [string, Parameters<Bench['apply']>[0]]>([
    ['retry', { type: 'retry' }],
    ['cancel', { type: 'cancel' }],
    ['rollback', { type: 'rollback' }],
  ])('%s after a rollback is refused', (_title, event) => {
    const bench = createBench();
    bench.apply({ type: 'rollback' });
    expect(bench.job.state).toBe('rolled_back');
    expect(() => bench.apply(event)).toThrow(expect.objectContaining({ code: 'RESTORE_TRANSITION_ILLEGAL' }));
  });

  test('a retry after cancel is refused although a step failed', () => {
    const bench = through('validate-target');
    bench.fail('prepare-guest', 'INPUT_INVALID');
    bench.apply({ type: 'cancel' });
    expect(() => bench.apply({ type: 'retry' })).toThrow('it was cancelled or rolled back');
  });
});
