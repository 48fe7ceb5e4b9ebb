import type { CodeTable } from '../category.ts';

/** Codes that belong to no single area. */
export const generalCodes = {
  INTERNAL_BUG: {
    category: 'internal',
    meaning: 'An invariant of the program was broken.',
    hint: 'Keep the log of this run and report it; the job can be retried.',
  },
  OPERATION_CANCELLED: {
    category: 'cancelled',
    meaning: 'The work was stopped on request.',
    hint: 'Start it again when it is wanted.',
  },
  INPUT_INVALID: {
    category: 'invalid',
    meaning: 'A value given by the caller does not have the expected form.',
    hint: 'Correct the value that the message names.',
  },
} as const satisfies CodeTable;
