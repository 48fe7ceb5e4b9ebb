import { planSchema, fromSnake, toSnake } from '@ascend/protocol';
import { expect, test } from 'vitest';
import { ProblemError } from '../http/problem.ts';
import { restorePlan } from '../testing/plans.ts';
import { acceptPlan, requestOf } from './startRestore.ts';

function problemOf(run: () => unknown): ProblemError | null {
  try {
    run();
    return null;
  } catch (error) {
    return error instanceof ProblemError ? error : null;
  }
}

test('a plan whose inputs are as they were starts under its own id', () => {
  const today = restorePlan({ planId: 'plan-2', createdAt: '2026-11-21T07:00:00.000Z' });
  expect(acceptPlan(restorePlan(), today)).toEqual({ ...today, planId: 'plan-1' });
});

test('a plan whose inputs changed is stale and says what changed', () => {
  const today = restorePlan({ inputsHash: 'h2', inputs: { fingerprint: 'f2', policy: 'p1', spec: 's1' } });
  const problem = problemOf(() => acceptPlan(restorePlan(), today));
  expect(problem?.error.code).toBe('PLAN_STALE');
  expect(problem?.extras.changes).toEqual([
    { input: 'fingerprint', planned: 'f1', now: 'f2' },
    { input: 'spec', planned: null, now: 's1' },
  ]);
});

test('a plan with a blocked finding does not start and shows only what blocks', () => {
  const finding = { subject: 'vm', message: 'taken', evidence: '', action: 'rename' };
  const today = restorePlan({
    findings: [
      { ...finding, code: 'PLAN_BOOT_SLOW', severity: 'warning' },
      { ...finding, code: 'PLAN_NAME_TAKEN', severity: 'blocked' },
    ],
  });
  const problem = problemOf(() => acceptPlan(restorePlan(), today));
  expect(problem?.error.code).toBe('PLAN_BLOCKED');
  expect(problem?.extras.findings?.map((one) => one.code)).toEqual(['PLAN_NAME_TAKEN']);
});

test('the request behind a plan asks for the same again', () => {
  const plan = restorePlan();
  expect(requestOf(plan)).toEqual({ backupId: 'backup-1', targetId: 'target-1', policy: plan.policy });
});

test('a plan goes to its API form and back unchanged', () => {
  const plan = restorePlan();
  expect(fromSnake(planSchema, toSnake(planSchema, plan))).toEqual(plan);
});
