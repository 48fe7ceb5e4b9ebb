import { decode, encodeUser } from '@nats-io/jwt';
import { fromSeed } from '@nats-io/nkeys';
import { AppError } from '@ascend/errors';
import { consumerName, streams, subjectPrefix, type AgentAddress } from '@ascend/protocol';
import type { Secret } from '@ascend/runtime';
import type { Trust } from './trust.ts';

/** Prefix of all inboxes of one agent: nobody else may listen there. */
export function agentInboxPrefix(address: AgentAddress): string {
  return `_INBOX_${address.siteId}.${address.agentId}`;
}

/** Prefix of the control plane's inboxes. */
export const controlInboxPrefix = '_INBOX_control';

const responseTtlNanos = 3600 * 1_000_000_000;

/** What an agent may publish and subscribe: its own subjects, its own consumer, its own inbox; nothing of the JetStream API else. */
function agentPermissions(address: AgentAddress) {
  const own = `${address.siteId}.${address.agentId}`;
  const consumer = `${streams.commands}.${consumerName(address)}`;
  return {
    pub: {
      allow: [
        `${subjectPrefix}.evt.${own}.>`,
        `${subjectPrefix}.prog.${own}.>`,
        `${subjectPrefix}.hb.${own}`,
        `${subjectPrefix}.ask.${own}.*`,
        `$JS.API.CONSUMER.MSG.NEXT.${consumer}`,
        `$JS.API.CONSUMER.INFO.${consumer}`,
        `$JS.ACK.${consumer}.>`,
        // With a domain or on later servers the ack subject begins with <domain>.<account hash>.
        `$JS.ACK.*.*.${consumer}.>`,
      ],
    },
    sub: {
      allow: [
        `${subjectPrefix}.ctl.${own}`,
        `${subjectPrefix}.rpc.${own}.*`,
        `${agentInboxPrefix(address)}.>`,
      ],
    },
    // Answers to requests it was sent, in several parts (max -1 = as many as it takes).
    resp: { max: -1, ttl: responseTtlNanos },
  };
}

const unlimited = { subs: -1, data: -1, payload: -1 };

/**
 * Signs the user JWT of an agent whose nkey was made by the agent itself. Signing again with the same key renews it.
 *
 * @throws {AppError} BUS_KEY_INVALID - `publicKey` is not a user key
 */
export async function issueAgentJwt(
  trust: Trust,
  params: {
    readonly address: AgentAddress;
    readonly publicKey: string;
    readonly ttlMs: number;
    readonly nowMs: number;
  },
): Promise<string> {
  if (!/^U[A-Z2-7]{55}$/.test(params.publicKey)) {
    throw new AppError({ code: 'BUS_KEY_INVALID', message: 'issue agent jwt: not a public user key' });
  }
  return await encodeUser(
    `agent ${params.address.siteId}/${params.address.agentId}`,
    params.publicKey,
    fromSeed(Buffer.from(trust.signingSeed.reveal())),
    { ...unlimited, ...agentPermissions(params.address), issuer_account: trust.account.publicKey },
    { exp: Math.floor((params.nowMs + params.ttlMs) / 1000) },
  );
}

/** Signs a user JWT for the control plane's own key (`trust.controlSeed`): all of the account. */
export async function issueControlPlaneJwt(
  trust: Trust,
  params: { readonly ttlMs: number; readonly nowMs: number },
): Promise<string> {
  const user = fromSeed(Buffer.from(trust.controlSeed.reveal()));
  return await encodeUser(
    'control plane',
    user.getPublicKey(),
    fromSeed(Buffer.from(trust.signingSeed.reveal())),
    { ...unlimited, issuer_account: trust.account.publicKey },
    { exp: Math.floor((params.nowMs + params.ttlMs) / 1000) },
  );
}

/** Issue and expiry time of a user JWT in ms since the epoch; `expiresAtMs` null = never. Does not check the signature. */
export function jwtLifetime(jwt: string): {
  readonly issuedAtMs: number;
  readonly expiresAtMs: number | null;
} {
  try {
    const claims = decode(jwt);
    return {
      issuedAtMs: claims.iat * 1000,
      expiresAtMs: claims.exp === undefined ? null : claims.exp * 1000,
    };
  } catch (cause) {
    throw new AppError({ code: 'BUS_KEY_INVALID', message: 'read jwt: not a NATS user jwt', cause });
  }
}

/** Public user key of a seed. @throws {AppError} BUS_KEY_INVALID - not a seed */
export function publicKeyOf(seed: Secret): string {
  try {
    return fromSeed(Buffer.from(seed.reveal())).getPublicKey();
  } catch (cause) {
    throw new AppError({ code: 'BUS_KEY_INVALID', message: 'read seed: not an nkey seed', cause });
  }
}
