import type { CodeTable } from '../category.ts';

/** Codes of the area `bus`. */
export const busCodes = {
  BUS_TRUST_INVALID: {
    category: 'invalid',
    meaning: 'The key material of the bus is missing, unreadable or damaged.',
    hint: 'Restore the trust folder from its copy, or create a new one and enrol every agent again.',
  },
  BUS_KEY_INVALID: {
    category: 'invalid',
    meaning: 'A public key, seed or sealed value is not of the kind that is needed.',
    hint: 'Enrol the agent again; a sealed value can only be opened with the key it was sealed to.',
  },
  BUS_CONNECT_REFUSED: {
    category: 'denied',
    meaning: 'The NATS server refused the connection.',
    hint: 'Check server address and credentials; an expired or revoked agent has to be enrolled again.',
  },
  BUS_NOT_CONNECTED: {
    category: 'unavailable',
    meaning: 'There is no connection to the NATS server at the moment.',
    hint: 'Check the NATS server and the network; the connection comes back by itself.',
  },
  BUS_MESSAGE_TOO_LARGE: {
    category: 'exhausted',
    meaning: 'A message is larger than the NATS server or the lane takes.',
    hint: 'Raise max_payload of the NATS server (8 MiB is what Ascend writes into its configuration).',
  },
  BUS_MESSAGE_INVALID: {
    category: 'invalid',
    meaning: 'A message on the bus does not have the agreed form.',
    hint: 'Bring control plane and agents to the same version.',
  },
  BUS_AGENT_OFFLINE: {
    category: 'unavailable',
    meaning: 'No agent answers under this address.',
    hint: 'Start the agent or check its connection (`ascend agent list`), then retry.',
  },
  BUS_CONTROL_PLANE_OFFLINE: {
    category: 'unavailable',
    meaning: 'No control plane answers on the bus.',
    hint: 'Start the control plane; agents go on by themselves.',
  },
  BUS_REPLY_LATE: {
    category: 'timeout',
    meaning: 'A request was taken but not answered within its deadline.',
    hint: 'Look into the log of the other side, or allow more time.',
  },
} as const satisfies CodeTable;
