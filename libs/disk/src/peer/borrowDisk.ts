import { randomBytes } from 'node:crypto';
import { AppError } from '@ascend/errors';
import { systemClock, type Secret } from '@ascend/runtime';
import type { DiskSource } from '../source/diskSource.ts';
import { decodeFacts } from './answers.ts';
import { createDoor } from './door.ts';
import { defaultLinks, sessionStreams, type OpenSession } from './lendDisk.ts';
import { listenForPeer } from './listener.ts';
import { measureLink, type PeerMeasure } from './measure.ts';
import { openNbdPeer } from './nbdPeer.ts';
import { createPeerClient, type PeerClient } from './peerClient.ts';
import { denied, ended } from './peerErrors.ts';
import { createStreamSource } from './streamSource.ts';
import { createAcceptSupply, createDialSupply, type LinkSupply } from './supply.ts';
import { createSession, decodeTicket, encodeTicket, nbdKeyOf, type SessionTicket } from './ticket.ts';

/** How a disk is borrowed. */
export interface BorrowDiskParams {
  /** Listen and make a ticket for the lender, or dial the lender that made one. */
  readonly at: OpenSession | { readonly ticket: Secret };
  /** Ends the session when it fires; all that is pending is rejected with OPERATION_CANCELLED. */
  readonly signal: AbortSignal;
  /** Let the lender compress what shrinks (HTTPS stream); default true. */
  readonly compress?: boolean;
  /** Deadline of each step of opening a connection; default 10 s. */
  readonly handshakeMs?: number;
  /** How long to go on trying after a cut, while nothing arrives; default 30 s. */
  readonly giveUpAfterMs?: number;
  /** Longest silence amid a request; default 60 s. */
  readonly silenceMs?: number;
  /** Pause between signs of life; a third of the lender's time limit; default 20 s. */
  readonly renewEveryMs?: number;
}

/** A session with the lender of a disk. */
export interface DiskBorrowing {
  /** To be sealed to the lender; null when the lender made it. */
  readonly ticket: Secret | null;
  /** Measures the way to the lender; sends at most 64 MiB, for at most about a second. */
  measure(): Promise<PeerMeasure>;
  /** Opens the disk. `mode` must be one that the ticket allows; default: the ticket's, after measuring if it is `auto`. */
  open(mode?: 'nbd' | 'https'): Promise<DiskSource>;
  /** Gives the disk back. Idempotent; never throws. */
  close(): Promise<void>;
}

const probeBytes = 64 * 1024 * 1024;
const farewellMs = 2000;

interface Session {
  readonly ticket: SessionTicket;
  readonly supply: LinkSupply;
}

async function listen(at: OpenSession, params: BorrowDiskParams): Promise<Session> {
  const listener = await listenForPeer(at.listen, params.handshakeMs ?? 10_000);
  const nowMs = systemClock.now();
  const lifeMs = at.ticketLifeMs ?? 600_000;
  const session = createSession({
    mode: at.mode,
    listener: 'writer',
    addresses: listener.addresses,
    links: at.links ?? defaultLinks,
    nowMs,
    expiresAtMs: nowMs + lifeMs,
  });
  const supply = createAcceptSupply(listener, { firstMs: lifeMs, laterMs: params.giveUpAfterMs ?? 30_000 });
  const door = createDoor();
  // Nobody may come for the first time once the ticket has expired.
  const expiry = setTimeout(() => {
    if (!door.isHeld()) door.shut();
  }, lifeMs);
  expiry.unref();
  listener.start(session, door, { link: session.ticket.links, stream: sessionStreams }, supply);
  const close = async (): Promise<void> => {
    clearTimeout(expiry);
    await supply.close();
  };
  return { ticket: session.ticket, supply: { ...supply, close } };
}

function dialling(sealed: Secret, params: BorrowDiskParams): Session {
  const ticket = decodeTicket(sealed);
  if (ticket.listener !== 'reader') throw denied('the ticket is for a lender, not for a borrower');
  const holder = randomBytes(16).toString('hex');
  const timeoutMs = params.handshakeMs ?? 10_000;
  return { ticket, supply: createDialSupply({ ticket, holder, timeoutMs }, systemClock) };
}

async function openSource(
  session: Session,
  client: PeerClient,
  params: BorrowDiskParams,
  wanted: 'nbd' | 'https' | undefined,
): Promise<DiskSource> {
  const { ticket, supply } = session;
  const { sizeBytes } = decodeFacts(await client.call('GET', '/disk'));
  const allowed = wanted ?? ticket.mode;
  if (wanted !== undefined && ticket.mode !== 'auto' && wanted !== ticket.mode) {
    throw denied(`the session is for ${ticket.mode}, not for ${wanted}`);
  }
  const mode = allowed === 'auto' ? (await measureLink(client, probeBytes)).mode : allowed;
  const giveUpAfterMs = params.giveUpAfterMs ?? 30_000;
  const common = { client, sizeBytes, giveUpAfterMs, clock: systemClock };
  if (mode === 'nbd') {
    return await openNbdPeer({
      ...common,
      supply,
      tls: nbdKeyOf(ticket),
      handshakeMs: params.handshakeMs ?? 10_000,
      silenceMs: params.silenceMs ?? 60_000,
    });
  }
  const source = createStreamSource({ ...common, links: ticket.links, compress: params.compress ?? true });
  return { ...source, close: async () => {} };
}

/** Says good-bye, so that the lender need not wait for its time limit. */
async function giveBack(client: PeerClient): Promise<void> {
  const farewell = client.request('POST', '/end').then((response) => response.resume());
  const over = new AbortController();
  await Promise.race([
    farewell.catch(() => undefined),
    systemClock.sleep(farewellMs, over.signal).catch(() => undefined),
  ]);
  over.abort();
}

/**
 * Begins a session with the agent that lends a disk. Either this side listens and makes a ticket for the lender, or it dials the lender
 * that made one. The first connection is made by `measure` or `open`.
 *
 * @throws {AppError} DISK_PEER_UNREACHABLE - it cannot listen there; DISK_PEER_DENIED - the ticket is for the other side; DISK_PEER_PROTOCOL -
 * not a ticket; OPERATION_CANCELLED. Calls of the session and of the disk add DISK_PEER_ENDED, the codes of `connectNbd` and of the lender's disk
 */
export async function borrowDisk(params: BorrowDiskParams): Promise<DiskBorrowing> {
  const { at, signal } = params;
  if (signal.aborted) throw new AppError({ code: 'OPERATION_CANCELLED', message: 'borrow disk: cancelled' });
  const session = 'ticket' in at ? dialling(at.ticket, params) : await listen(at, params);
  const client = createPeerClient({
    supply: session.supply,
    links: session.ticket.links,
    silenceMs: params.silenceMs ?? 60_000,
    giveUpAfterMs: params.giveUpAfterMs ?? 30_000,
    signal,
    clock: systemClock,
  });
  const sources = new Set<DiskSource>();
  let isOpen = false;
  const renewing = setInterval(() => {
    if (isOpen) client.call('POST', '/renew').catch(() => undefined);
  }, params.renewEveryMs ?? 20_000);
  renewing.unref();
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', onAbort);
    clearInterval(renewing);
    for (const source of sources) await source.close();
    if (isOpen && !signal.aborted) await giveBack(client);
    client.close();
    await session.supply.close();
  };
  let closing: Promise<void> | null = null;
  const closeOnce = (): Promise<void> => (closing ??= close());
  const onAbort = (): void => void closeOnce().catch(() => undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  const use = async <T>(step: () => Promise<T>): Promise<T> => {
    if (closing !== null) throw ended('it was closed');
    const result = await step();
    isOpen = true;
    return result;
  };
  return {
    ticket: 'ticket' in at ? null : encodeTicket(session.ticket),
    measure: () => use(() => measureLink(client, probeBytes)),
    open: (mode) =>
      use(async () => {
        const source = await openSource(session, client, params, mode);
        sources.add(source);
        return source;
      }),
    close: closeOnce,
  };
}

/**
 * Opens the disk that a ticket stands for, as a source of the copy; closing the source gives the disk back.
 *
 * @throws {AppError} as `borrowDisk` and `DiskBorrowing.open`
 */
export async function openPeerSource(
  params: Omit<BorrowDiskParams, 'at'> & { readonly ticket: Secret },
): Promise<DiskSource> {
  const borrowing = await borrowDisk({ ...params, at: { ticket: params.ticket } });
  try {
    const source = await borrowing.open();
    return { ...source, close: () => borrowing.close() };
  } catch (cause) {
    await borrowing.close();
    throw cause;
  }
}

/**
 * Measures the way to the lender of a ticket, for the choice between NBD and HTTPS; the ticket is used up.
 *
 * @throws {AppError} as `borrowDisk`
 */
export async function measurePeer(
  params: Omit<BorrowDiskParams, 'at'> & { readonly ticket: Secret },
): Promise<PeerMeasure> {
  const borrowing = await borrowDisk({ ...params, at: { ticket: params.ticket } });
  try {
    return await borrowing.measure();
  } finally {
    await borrowing.close();
  }
}
