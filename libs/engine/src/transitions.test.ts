import { describe, expect, test } from 'vitest';
import { jobTransitions, nextJobState, nextStepState, stepTransitions } from './transitions.ts';

describe('transition tables', () => {
  test('lead to states they know', () => {
    for (const table of [jobTransitions, stepTransitions]) {
      const targets = Object.values(table).flatMap((row) => Object.values(row));
      expect(Object.keys(table)).toEqual(expect.arrayContaining(targets));
    }
  });

  test('lead from the first job state to every other', () => {
    const reached = new Set<string>(['queued']);
    for (const state of reached) {
      for (const [from, row] of Object.entries(jobTransitions)) {
        if (from === state) Object.values(row).forEach((target) => reached.add(target));
      }
    }
    expect([...reached].sort()).toEqual(Object.keys(jobTransitions).sort());
  });

  test('refuse what they do not list, with the state in the details', () => {
    expect(() => nextJobState('job-1', 'completed', 'retry')).toThrow(
      expect.objectContaining({
        code: 'RESTORE_TRANSITION_ILLEGAL',
        message: 'retry job job-1: not possible in state completed',
        details: { state: 'completed', event: 'retry' },
      }),
    );
    expect(() => nextStepState('finalize', 'skipped', 'dispatch')).toThrow('dispatch step finalize');
  });
});
