import { AppError } from '@ascend/errors';

/** Every subject begins with this; a breaking change of the bus gets a new one. */
export const subjectPrefix = 'ascend.v1';

/** Names of the JetStream streams; their subjects are `streamSubjects`. */
export const streams = { commands: 'ASCEND_CMD', events: 'ASCEND_EVT', progress: 'ASCEND_PROG' } as const;

/** What each stream stores. */
export const streamSubjects = {
  commands: `${subjectPrefix}.cmd.>`,
  events: `${subjectPrefix}.evt.>`,
  progress: `${subjectPrefix}.prog.>`,
} as const;

const idPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** True for an id that may stand as one token of a subject (never a VM name: dots, spaces, wildcards). */
export function isSubjectId(text: string): boolean {
  return idPattern.test(text);
}

/** The two ids by which an agent is addressed and limited. */
export interface AgentAddress {
  readonly siteId: string;
  readonly agentId: string;
}

function scope(address: AgentAddress): string {
  for (const id of [address.siteId, address.agentId]) {
    if (!isSubjectId(id)) {
      throw new AppError({
        code: 'INPUT_INVALID',
        message: `build subject: id ${JSON.stringify(id)} must match ${idPattern.source}`,
      });
    }
  }
  return `${address.siteId}.${address.agentId}`;
}

/** Durable step commands of one agent (JetStream). */
export function commandSubject(address: AgentAddress, kind: string): string {
  return `${subjectPrefix}.cmd.${scope(address)}.${kind}`;
}

/** All commands of one agent: the filter of its durable consumer. */
export function commandFilter(address: AgentAddress): string {
  return `${subjectPrefix}.cmd.${scope(address)}.>`;
}

/** Name of an agent's durable consumer on the command stream; `=` cannot be part of an id, so no two agents share one. */
export function consumerName(address: AgentAddress): string {
  return scope(address).replace('.', '=');
}

/** Core messages to a running agent: cancel, nudge. Not stored; the flag in MySQL is what counts. */
export function controlSubject(address: AgentAddress): string {
  return `${subjectPrefix}.ctl.${scope(address)}`;
}

/** Durable step events of one agent (JetStream). */
export function eventSubject(address: AgentAddress, jobId: string): string {
  return `${subjectPrefix}.evt.${scope(address)}.${jobId}`;
}

/** Last counters of one step (memory stream, last per subject). */
export function progressSubject(address: AgentAddress, jobId: string, stepKey: string): string {
  return `${subjectPrefix}.prog.${scope(address)}.${jobId}.${stepKey.replaceAll(/[^a-z0-9_-]/g, '_')}`;
}

/** Heartbeats, core. */
export function heartbeatSubject(address: AgentAddress): string {
  return `${subjectPrefix}.hb.${scope(address)}`;
}

/** Requests to an agent with a deadline: inventory, check, analyze, scan (second lane, D11). */
export function requestSubject(address: AgentAddress, verb: string): string {
  return `${subjectPrefix}.rpc.${scope(address)}.${verb}`;
}

/** Requests of an agent to the control plane: hello, secret, renew. */
export function askSubject(address: AgentAddress, verb: string): string {
  return `${subjectPrefix}.ask.${scope(address)}.${verb}`;
}

/** Reads site and agent from any of the subjects above; null when it is none of them. */
export function addressOf(subject: string): AgentAddress | null {
  const tokens = subject.split('.');
  const [a, b, , siteId, agentId] = tokens;
  if (`${a}.${b}` !== subjectPrefix || siteId === undefined || agentId === undefined) return null;
  return isSubjectId(siteId) && isSubjectId(agentId) ? { siteId, agentId } : null;
}
