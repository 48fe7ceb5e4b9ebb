import type { CodeTable } from '../category.ts';

/** Codes of the area `restore`: what the engine refuses, and how jobs end. */
export const restoreCodes = {
  RESTORE_TRANSITION_ILLEGAL: {
    category: 'conflict',
    meaning: 'The job or step is in a state in which this is not possible.',
    hint: 'Read the state of the job; a failed job can be retried, an ended one rolled back.',
  },
  RESTORE_STEP_UNKNOWN: {
    category: 'missing',
    meaning: 'The job has no step of this key.',
    hint: 'List the steps of the job.',
  },
  RESTORE_INVALIDATE_REFUSED: {
    category: 'conflict',
    meaning: 'A step cannot be redone because a VM was already made from its result.',
    hint: 'Roll the job back and start a new restore.',
  },
  RESTORE_AGENT_LOST: {
    category: 'unavailable',
    meaning: 'Agents were lost during a step again and again.',
    hint: 'Find out why the agent of this step dies, then retry the job.',
  },
} as const satisfies CodeTable;
