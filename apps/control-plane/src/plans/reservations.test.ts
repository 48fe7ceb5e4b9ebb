import { createJob } from '@ascend/engine';
import { expect, test } from 'vitest';
import { restorePlan } from '../testing/plans.ts';
import { reservationsOf } from './reservations.ts';

const job = createJob(restorePlan(), 'job-1');

test('a restore reserves what its disks still have to move', () => {
  expect(reservationsOf(job, new Map([['transfer-disk:1', { bytesDone: 4_000_000 }]]))).toEqual([
    { jobId: 'job-1', storage: 'default', bytes: 10_000_000 },
    { jobId: 'job-1', storage: 'default', bytes: 6_000_000 },
  ]);
});

test('disks that are there, or all moved, reserve nothing', () => {
  const steps = job.steps.map((step) =>
    step.key === 'transfer-disk:0' ? { ...step, state: 'succeeded' as const } : step,
  );
  const progress = new Map([['transfer-disk:1', { bytesDone: 10_000_001 }]]);
  expect(reservationsOf({ ...job, steps }, progress)).toEqual([]);
});
