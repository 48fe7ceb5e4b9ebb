import type { CodeTable } from '../category.ts';

/** Codes of child processes and configuration (libs/runtime). */
export const runtimeCodes = {
  PROCESS_NOT_FOUND: {
    category: 'unavailable',
    meaning: 'A program that is needed is not installed on this machine.',
    hint: 'Install the package that holds the program named in the message, then retry.',
  },
  PROCESS_FAILED: {
    category: 'internal',
    meaning: 'A child process ended with an error.',
    hint: 'Read the tail of its output in the details.',
  },
  PROCESS_STALLED: {
    category: 'timeout',
    meaning: 'A child process made no progress within its allowance.',
    hint: 'Check the load and the storage of the machine, then retry.',
  },
  CONFIG_INVALID: {
    category: 'invalid',
    meaning: 'A setting is missing, malformed or unknown.',
    hint: 'Correct the environment variable or option that the message names.',
  },
} as const satisfies CodeTable;
