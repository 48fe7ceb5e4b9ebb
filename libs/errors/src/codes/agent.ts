import type { CodeTable } from '../category.ts';

/** Codes of the area `agent`. */
export const agentCodes = {
  AGENT_NOT_ENROLLED: {
    category: 'missing',
    meaning: 'The agent has no usable credentials.',
    hint: 'Make a one-time token with `ascend agent enroll SITE`, then run `enrol` on the agent.',
  },
  AGENT_ENROLMENT_REFUSED: {
    category: 'denied',
    meaning: 'The control plane did not accept the enrolment.',
    hint: 'Make a new one-time token (they live for 15 minutes and work once) and check the API address.',
  },
  AGENT_LEDGER_FAILED: {
    category: 'exhausted',
    meaning: 'The agent cannot store what it did.',
    hint: 'Check space and permissions of the agent folder; the agent starts nothing until it can store.',
  },
  AGENT_LEDGER_IN_USE: {
    category: 'conflict',
    meaning: 'Another agent process works in the same folder.',
    hint: 'Stop the other process, or give each agent a folder of its own.',
  },
  AGENT_COMMAND_FENCED: {
    category: 'conflict',
    meaning: 'A newer command for the same job has been seen, so an older one is not carried out.',
    hint: 'Nothing to do: the newer attempt counts.',
  },
  AGENT_DEADLINE_PASSED: {
    category: 'timeout',
    meaning: 'A command reached the agent after its latest start.',
    hint: 'The step is tried again by itself; if it happens often, the agent is overloaded or was away.',
  },
  AGENT_SCRATCH_FULL: {
    category: 'exhausted',
    meaning: 'The scratch space of the agent is too small for this step.',
    hint: 'Free space under the scratch folder of the agent, or point ASCEND_AGENT_SCRATCH at a larger file system.',
  },
  AGENT_REPOSITORY_UNKNOWN: {
    category: 'denied',
    meaning: 'A path lies outside of the repositories that this agent may read.',
    hint: 'Add the folder to ASCEND_AGENT_REPOSITORIES of the agent (id=/path) and restart it.',
  },
  AGENT_CONNECTOR_MISSING: {
    category: 'unsupported',
    meaning: 'The agent ships no connector for the platform of this target.',
    hint: 'Choose an agent that serves this platform.',
  },
  AGENT_STEP_MISSING: {
    category: 'unsupported',
    meaning: 'The agent has no code for this kind of step or its undo.',
    hint: 'Bring the agent to the version of the control plane.',
  },
  AGENT_STEP_STALLED: {
    category: 'timeout',
    meaning: 'A step made no progress for longer than its kind allows.',
    hint: 'Check storage, network and load of the machines that the step uses, then retry the job.',
  },
  AGENT_STEP_STUCK: {
    category: 'internal',
    meaning: 'A step did not end after it was told to stop.',
    hint: 'Restart the agent, then retry or roll back the job.',
  },
} as const satisfies CodeTable;
