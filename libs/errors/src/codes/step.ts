import type { CodeTable } from '../category.ts';

/** Codes of the area `step`: what the handlers of restore steps raise themselves. */
export const stepCodes = {
  STEP_BOOT_NOT_PROVEN: {
    category: 'corrupt',
    meaning: 'The VM did not show the evidence of a finished boot that the policy demands.',
    hint: 'Read the serial log in the details; the VM and its disks are kept for a closer look.',
  },
  STEP_OUTPUT_INVALID: {
    category: 'internal',
    meaning: 'The result of an earlier step is missing or does not have the expected form.',
    hint: 'Retry the job from the step that the message names.',
  },
  STEP_PLAN_MISMATCH: {
    category: 'conflict',
    meaning: 'The plan does not fit what the step found.',
    hint: 'Make a new plan for this restore point and start again.',
  },
  STEP_DISK_MISMATCH: {
    category: 'corrupt',
    meaning: 'A disk read back from the target is not what was sent.',
    hint: 'Roll the job back and start again; check the storage of the target.',
  },
  STEP_OVERLAY_MISSING: {
    category: 'missing',
    meaning: 'The sealed overlay with the guest edits is not on this agent any more.',
    hint: 'Retry the job from the preparation of the guest.',
  },
} as const satisfies CodeTable;
