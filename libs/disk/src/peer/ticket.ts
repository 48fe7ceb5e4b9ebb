import { hkdfSync, randomBytes } from 'node:crypto';
import { AppError } from '@ascend/errors';
import { Secret } from '@ascend/runtime';
import type { TcpAddress } from '../nbd/socket.ts';
import type { TlsPsk } from '../nbd/startTls.ts';
import { createCertificate, fingerprintOfPem } from './certificate.ts';

/** How the bytes of a disk session travel: NBD under TLS-PSK (LAN), frames over HTTPS (WAN), or as the writer chooses after measuring. */
export type PeerMode = 'nbd' | 'https' | 'auto';

/** Which agent listens; the other one dials. */
export type PeerSide = 'reader' | 'writer';

/** Everything the dialling side needs. Danger: holds keys; it travels sealed and is never logged or stored. */
export interface SessionTicket {
  readonly version: 1;
  /** 32 hex digits. */
  readonly sessionId: string;
  readonly mode: PeerMode;
  readonly listener: PeerSide;
  /** Where the listener is, tried in order. */
  readonly addresses: readonly TcpAddress[];
  /** TLS links that may be open at once. */
  readonly links: number;
  /** 32 bytes as hex; the keys of this session are derived from it. */
  readonly key: string;
  readonly listenerCert: string;
  readonly diallerCert: string;
  readonly diallerKey: string;
  /** Latest first use, ms since the epoch, by the listener's clock. */
  readonly expiresAtMs: number;
}

/** Key and certificate of one side, and the only certificate it trusts. */
export interface LinkCredentials {
  readonly certPem: string;
  readonly keyPem: string;
  readonly peerCertPem: string;
}

/** What the listening side keeps of a session. */
export interface OwnSession {
  readonly ticket: SessionTicket;
  readonly credentials: LinkCredentials;
}

const maxTicketChars = 16 * 1024;
/** More links than this gain nothing and cost a thread's worth of buffers each. */
const maxLinks = 16;

/** Makes the keys of a new session. */
export function createSession(params: {
  readonly mode: PeerMode;
  readonly listener: PeerSide;
  readonly addresses: readonly TcpAddress[];
  readonly links: number;
  readonly nowMs: number;
  readonly expiresAtMs: number;
}): OwnSession {
  const { mode, listener, addresses, links, nowMs, expiresAtMs } = params;
  const own = createCertificate('listener', nowMs);
  const other = createCertificate('dialler', nowMs);
  const ticket: SessionTicket = {
    version: 1,
    sessionId: randomBytes(16).toString('hex'),
    mode,
    listener,
    addresses,
    links,
    key: randomBytes(32).toString('hex'),
    listenerCert: own.certPem,
    diallerCert: other.certPem,
    diallerKey: other.keyPem,
    expiresAtMs,
  };
  return { ticket, credentials: { ...own, peerCertPem: other.certPem } };
}

/** The dialling side's key and certificates. */
export function diallerCredentials(ticket: SessionTicket): LinkCredentials {
  return { certPem: ticket.diallerCert, keyPem: ticket.diallerKey, peerCertPem: ticket.listenerCert };
}

function derive(ticket: SessionTicket, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.from(ticket.key, 'hex'), ticket.sessionId, purpose, 32));
}

/** The pre-shared key of the session's NBD server. */
export function nbdKeyOf(ticket: SessionTicket): TlsPsk {
  return { identity: ticket.sessionId, key: new Secret(derive(ticket, 'nbd-psk').toString('hex')) };
}

/** The key of the knock (see knock.ts). */
export function knockKeyOf(ticket: SessionTicket): Buffer {
  return derive(ticket, 'knock');
}

/** The ticket as text; the caller seals it to the other agent. */
export function encodeTicket(ticket: SessionTicket): Secret {
  return new Secret(JSON.stringify(ticket));
}

function malformed(problem: string): AppError {
  return new AppError({ code: 'DISK_PEER_PROTOCOL', message: `read session ticket: ${problem}` });
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(fields: Fields, name: string, pattern: RegExp): string {
  const value = fields[name];
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw malformed(`its ${name} is malformed`);
}

function numberOf(fields: Fields, name: string, min: number, max: number): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw malformed(`its ${name} is malformed`);
}

function oneOf<T extends string>(fields: Fields, name: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === fields[name]);
  if (found === undefined) throw malformed(`its ${name} is malformed`);
  return found;
}

function certificateOf(fields: Fields, name: string): string {
  const text = textOf(fields, name, /^-----BEGIN CERTIFICATE-----\n/);
  try {
    fingerprintOfPem(text);
    return text;
  } catch {
    throw malformed(`its ${name} is malformed`);
  }
}

function addressesOf(fields: Fields): readonly TcpAddress[] {
  const { addresses } = fields;
  if (!Array.isArray(addresses) || addresses.length === 0 || addresses.length > 16) {
    throw malformed('its addresses are malformed');
  }
  return addresses.map((entry: unknown) => {
    if (!isFields(entry)) throw malformed('its addresses are malformed');
    return {
      host: textOf(entry, 'host', /^[0-9A-Za-z.:_%-]{1,255}$/),
      port: numberOf(entry, 'port', 1, 65_535),
    };
  });
}

/**
 * Reads a ticket that came from the other agent.
 *
 * @throws {AppError} DISK_PEER_PROTOCOL - it is not one
 */
export function decodeTicket(secret: Secret): SessionTicket {
  const text = secret.reveal();
  let fields: unknown;
  try {
    fields = text.length > maxTicketChars ? null : JSON.parse(text);
  } catch {
    fields = null;
  }
  if (!isFields(fields)) throw malformed('it is not a ticket');
  if (fields['version'] !== 1) throw malformed('it is of another version');
  return {
    version: 1,
    sessionId: textOf(fields, 'sessionId', /^[0-9a-f]{32}$/),
    mode: oneOf(fields, 'mode', ['nbd', 'https', 'auto']),
    listener: oneOf(fields, 'listener', ['reader', 'writer']),
    addresses: addressesOf(fields),
    links: numberOf(fields, 'links', 1, maxLinks),
    key: textOf(fields, 'key', /^[0-9a-f]{64}$/),
    listenerCert: certificateOf(fields, 'listenerCert'),
    diallerCert: certificateOf(fields, 'diallerCert'),
    diallerKey: textOf(fields, 'diallerKey', /^-----BEGIN PRIVATE KEY-----\n/),
    expiresAtMs: numberOf(fields, 'expiresAtMs', 0, Number.MAX_SAFE_INTEGER),
  };
}
