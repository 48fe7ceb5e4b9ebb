import type { JobState, LedgerState, RestoreJob, StepState } from '@ascend/domain';
import { createJob } from '@ascend/engine';
import { expect, test } from 'vitest';
import { restorePlan } from '../testing/plans.ts';
import { verdictOf } from './verdicts.ts';

function jobWith(state: JobState, stepState: StepState): RestoreJob {
  const job = createJob(restorePlan(), 'job-1');
  const [first, ...rest] = job.steps;
  return { ...job, state, steps: [{ ...first!, state: stepState, opId: 'op-1' }, ...rest] };
}

function undoing(state: LedgerState): RestoreJob {
  const entry = {
    jobId: 'job-1',
    stepKey: 'create-vm',
    resourceKey: 'vm',
    targetId: 'target-1',
    kind: 'vm',
    name: 'n',
    token: null,
    state,
    undoOrder: 1,
    opId: 'op-2',
  } as const;
  return { ...createJob(restorePlan(), 'job-1'), state: 'rolling_back', ledger: [entry] };
}

test.each([
  ['a running step of a running job', jobWith('running', 'running'), 'op-1', 'continue'],
  ['a step whose accept is still on its way', jobWith('running', 'dispatched'), 'op-1', 'continue'],
  ['a step whose agent was thought lost and is back', jobWith('running', 'waiting'), 'op-1', 'continue'],
  ['a running step of a job that pauses', jobWith('paused', 'running'), 'op-1', 'continue'],
  ['a running step of a cancelled job', jobWith('cancelling', 'running'), 'op-1', 'stop'],
  ['a step whose result is stored', jobWith('running', 'succeeded'), 'op-1', 'forget'],
  ['an attempt that was overtaken', jobWith('running', 'running'), 'op-0', 'stop'],
  ['an undo in progress', undoing('deleting'), 'op-2', 'continue'],
  ['an undo whose resource is gone', undoing('gone'), 'op-2', 'stop'],
  ['an operation nobody knows', null, 'op-1', 'stop'],
] as const)('%s: %4$s', (_name, job, opId, verdict) => {
  expect(verdictOf(job, opId)).toBe(verdict);
});
