import { randomInt } from 'node:crypto';
import { isAppError } from '@ascend/errors';
import { openControlSocket } from './controlSocket.ts';
import { stateFiles } from './machineSpec.ts';

/** What a guest agent answered. */
export interface AgentAnswer {
  /** IPv4 addresses of all interfaces but loopback. */
  readonly addresses: readonly string[];
}

const agentDeadlineMs = 3_000;
const maxAddresses = 64;

function records(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Record<string, unknown> => typeof item === 'object' && item !== null);
}

/** The addresses in an answer to `guest-network-get-interfaces`; hostile or malformed parts are left out. */
export function agentAddresses(answer: unknown): readonly string[] {
  const found = records(answer).flatMap((nic) => records(nic['ip-addresses']));
  return found
    .filter((item) => item['ip-address-type'] === 'ipv4')
    .map((item) => item['ip-address'])
    .filter((text): text is string => typeof text === 'string' && /^\d{1,3}(\.\d{1,3}){3}$/.test(text))
    .filter((text) => !text.startsWith('127.'))
    .slice(0, maxAddresses);
}

/** Asks the guest's agent whether it is there and which addresses it has; null when nobody answers in time. */
export async function askGuestAgent(stateDir: string, signal: AbortSignal): Promise<AgentAnswer | null> {
  try {
    const params = { stateDir, socketName: stateFiles.agent, deadlineMs: agentDeadlineMs, signal };
    const socket = await openControlSocket(params);
    try {
      const id = randomInt(1, 2 ** 31);
      socket.send({ execute: 'guest-sync', arguments: { id } });
      // Older answers may still be in the channel: only the one with our number counts.
      while ((await socket.receive())['return'] !== id);
      socket.send({ execute: 'guest-ping' });
      if (!('return' in (await socket.receive()))) return null;
      socket.send({ execute: 'guest-network-get-interfaces' });
      return { addresses: agentAddresses((await socket.receive())['return']) };
    } finally {
      socket.close();
    }
  } catch (error) {
    if (isAppError(error) && error.code !== 'OPERATION_CANCELLED') return null;
    throw error;
  }
}
