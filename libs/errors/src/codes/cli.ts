import type { CodeTable } from '../category.ts';

/** Codes of the command line. */
export const cliCodes = {
  CLI_API_UNREACHABLE: {
    category: 'unavailable',
    meaning: 'The control plane did not answer.',
    hint: 'Check --url (or ASCEND_URL) and that the control plane runs; `ascend local …` works without it.',
  },
  CLI_API_ANSWER_INVALID: {
    category: 'internal',
    meaning: 'The control plane answered something this CLI does not understand.',
    hint: 'Use a CLI of the same version as the control plane.',
  },
  CLI_TOKEN_MISSING: {
    category: 'denied',
    meaning: 'No API token was found.',
    hint: 'Give --token-file FILE or set ASCEND_TOKEN_FILE; the quickstart writes .ascend/token.',
  },
  CLI_BACKUP_NOT_FOUND: {
    category: 'missing',
    meaning: 'No restore point of the folder matches what was asked for.',
    hint: 'Choose one of the candidates with --vm and --backup.',
  },
  CLI_BACKUP_AMBIGUOUS: {
    category: 'conflict',
    meaning: 'More than one VM of the folder matches what was asked for.',
    hint: 'Choose one of the candidates with --vm or --backup.',
  },
  CLI_RESTORE_NOT_COMPLETED: {
    category: 'conflict',
    meaning: 'The restore that was watched ended in another state than completed.',
    hint: 'See `ascend restore show ID` for the failed step; `ascend restore retry ID` continues there.',
  },
} as const satisfies CodeTable;
