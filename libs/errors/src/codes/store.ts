import type { CodeTable } from '../category.ts';

/** Codes of the area `store`. */
export const storeCodes = {
  STORE_UNAVAILABLE: {
    category: 'unavailable',
    meaning: 'The database cannot be reached or does not let us in.',
    hint: 'Check that the database runs and that the URL, user and password are right.',
  },
  STORE_BUSY: {
    category: 'unavailable',
    meaning: 'Transactions stood in each other’s way more often than is tried again.',
    hint: 'Try again; if it stays, look for a long transaction on the database.',
  },
  STORE_VALUE_REFUSED: {
    category: 'invalid',
    meaning: 'A value does not fit its column.',
    hint: 'Shorten or correct the value that the message names.',
  },
  STORE_QUERY_FAILED: {
    category: 'internal',
    meaning: 'The database refused a statement.',
    hint: 'Check that the schema is the one this version expects, then report the message.',
  },
  STORE_MIGRATION_LOCKED: {
    category: 'timeout',
    meaning: 'Another process held the migration lock all the time.',
    hint: 'Wait for the other control plane to finish its migrations, then start again.',
  },
  STORE_MIGRATION_FAILED: {
    category: 'internal',
    meaning: 'A migration stopped at a statement that the database refused.',
    hint: 'Remove the reason the message gives, then start again: it goes on at that statement.',
  },
  STORE_MIGRATION_CHANGED: {
    category: 'conflict',
    meaning: 'A migration that was already applied has another text now.',
    hint: 'Install the version that made this database, or a newer one; never edit an applied migration.',
  },
  STORE_MIGRATION_MALFORMED: {
    category: 'internal',
    meaning: 'The migration files of this version are incomplete or not readable.',
    hint: 'Install the program again; its migrations folder is damaged.',
  },
  STORE_SCHEMA_NEWER: {
    category: 'conflict',
    meaning: 'The database was made by a newer version of the product.',
    hint: 'Start that version, or migrate the database down with it first.',
  },
  STORE_JOB_UNKNOWN: {
    category: 'missing',
    meaning: 'There is no restore with this id; its row goes away with the backup it was made from.',
    hint: 'List the restores; the report of one whose backup was deleted is still kept.',
  },
  STORE_JOB_EXISTS: {
    category: 'conflict',
    meaning: 'A restore with this id exists already.',
    hint: 'Use the one that exists, or a new id.',
  },
  STORE_JOB_CHANGED: {
    category: 'conflict',
    meaning: 'The restore was changed by someone else between reading and saving it.',
    hint: 'Read it again and decide anew.',
  },
  STORE_JOB_FOREIGN: {
    category: 'unsupported',
    meaning: 'The restore came from an older product and has no plan that could be carried on.',
    hint: 'Start a new restore of the same backup.',
  },
  STORE_SITE_UNKNOWN: {
    category: 'missing',
    meaning: 'There is no site with this id.',
    hint: 'Make the site first, or use one of those that exist.',
  },
  STORE_AGENT_UNKNOWN: {
    category: 'missing',
    meaning: 'No agent has enrolled under this id.',
    hint: 'List the agents, or enrol this one with a new token.',
  },
  STORE_AGENT_KEY_TAKEN: {
    category: 'conflict',
    meaning: 'The key of an agent that enrols belongs to another agent.',
    hint: 'Let the agent make keys of its own: never copy its state folder to another machine.',
  },
  STORE_ENROLLMENT_REFUSED: {
    category: 'denied',
    meaning: 'The enrolment token is unknown, used or expired.',
    hint: 'Make a new enrolment token for the site and use it once.',
  },
  STORE_TOKEN_UNKNOWN: {
    category: 'missing',
    meaning: 'There is no API token with this id.',
    hint: 'List the API tokens.',
  },
  STORE_TARGET_UNKNOWN: {
    category: 'missing',
    meaning: 'There is no target with this id.',
    hint: 'List the targets, or add this one.',
  },
  STORE_TARGET_IN_USE: {
    category: 'conflict',
    meaning: 'A running restore uses the target.',
    hint: 'Wait for the restore to end, or cancel it.',
  },
  STORE_NAME_TAKEN: {
    category: 'conflict',
    meaning: 'Another entry has this name.',
    hint: 'Choose another name.',
  },
  STORE_PLAN_UNKNOWN: {
    category: 'missing',
    meaning: 'There is no plan with this id; old plans are forgotten.',
    hint: 'Make the plan again.',
  },
  STORE_EVIDENCE_TOO_LARGE: {
    category: 'invalid',
    meaning: 'A piece of evidence is larger than is kept.',
    hint: 'Send a smaller picture or a shorter tail.',
  },
  STORE_AUDIT_BROKEN: {
    category: 'corrupt',
    meaning: 'The audit trail was changed, cut or lost its head.',
    hint: 'Compare the trail with a backup of the database; the message names the first wrong row.',
  },
} as const satisfies CodeTable;
