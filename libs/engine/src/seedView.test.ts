import { describe, expect, test } from 'vitest';
import { createJob } from './job.ts';
import { seedView } from './seedView.ts';
import { createBench } from './testing/bench.ts';
import { samplePlan } from './testing/samplePlan.ts';

describe('the seeds’ view of a job', () => {
  test('follows the furthest step in flight', () => {
    const bench = createBench();
    expect(seedView(bench.job)).toMatchObject({
      status: 'pending',
      progressPercent: 0,
      currentStep: 'analyze-source',
    });
    const seen = bench.job.plan.steps.map((step) => {
      bench.decide();
      const { status, currentStep } = seedView(bench.job);
      bench.succeed(step.key);
      return `${currentStep} ${status}`;
    });
    expect(seen).toEqual([
      'validate-target pending',
      'validate-target pending',
      'prepare-guest converting',
      'boot-test converting',
      'transfer-disk:1 uploading',
      'transfer-disk:1 uploading',
      'create-vm creating',
      'start-and-verify creating',
      'configure-vm creating',
      'finalize creating',
    ]);
    expect(seedView(bench.job)).toMatchObject({
      status: 'completed',
      progressPercent: 100,
      currentStep: null,
    });
  });

  test('counts transfers by their bytes', () => {
    const bench = createBench();
    bench.runThrough('boot-test');
    const none = seedView(bench.job).progressPercent;
    const half = seedView(bench.job, {
      'transfer-disk:0': { bytesDone: 1_500, bytesTotal: 3_000 },
    }).progressPercent;
    const whole = seedView(bench.job, {
      'transfer-disk:0': { bytesDone: 3_000, bytesTotal: 3_000 },
      'transfer-disk:1': { bytesDone: 5_000, bytesTotal: 1_000 },
    }).progressPercent;
    // 50 of 97 weights are the transfers; 3 of 4 kB are disk 0.
    expect(half - none).toBeCloseTo((50 / 97) * 0.375 * 100, 1);
    expect(whole - none).toBeCloseTo((50 / 97) * 100, 1);
  });

  test('takes counters without a total as nothing done', () => {
    const bench = createBench();
    bench.decide();
    expect(seedView(bench.job, { 'analyze-source': { bytesDone: 5, bytesTotal: 0 } }).progressPercent).toBe(
      0,
    );
  });

  test('counts a negative counter as nothing', () => {
    const bench = createBench();
    bench.decide();
    expect(seedView(bench.job, { 'analyze-source': { bytesDone: -5, bytesTotal: 5 } }).progressPercent).toBe(
      0,
    );
  });

  test('names the failed step of a failed job', () => {
    const bench = createBench();
    bench.runThrough('validate-target');
    bench.fail('prepare-guest', 'INPUT_INVALID');
    expect(seedView(bench.job)).toMatchObject({ status: 'failed', currentStep: 'prepare-guest' });
    expect(seedView(bench.job).steps.slice(0, 4)).toEqual([
      { stepKey: 'analyze-source', status: 'completed' },
      { stepKey: 'validate-target', status: 'completed' },
      { stepKey: 'prepare-guest', status: 'failed' },
      { stepKey: 'boot-test', status: 'pending' },
    ]);
  });

  test('does not show an end while resources are still being removed', () => {
    const bench = createBench();
    bench.runThrough('finalize');
    bench.apply({ type: 'rollback' });
    expect(seedView(bench.job).status).toBe('pending');
    while (bench.job.state === 'rolling_back') bench.undoNext();
    expect(seedView(bench.job)).toMatchObject({ status: 'rolled_back', currentStep: null });
  });

  test('shows paused, cancelling and cancelled jobs', () => {
    const bench = createBench();
    bench.apply({ type: 'pause' });
    expect(seedView(bench.job)).toMatchObject({ status: 'paused', currentStep: 'analyze-source' });
    bench.apply({ type: 'resume' });
    bench.apply({ type: 'cancel' });
    expect(seedView(bench.job).status).toBe('pending');
    bench.succeed('analyze-source');
    bench.succeed('validate-target');
    expect(seedView(bench.job)).toMatchObject({ status: 'cancelled', currentStep: null });
  });

  test('of a running job whose last step just ended is creating', () => {
    const job = createJob(samplePlan({ steps: [] }), 'job-1');
    expect(seedView({ ...job, state: 'running' })).toMatchObject({ status: 'creating', currentStep: null });
  });
});
