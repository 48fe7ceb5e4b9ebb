import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type http from 'node:http';
import type net from 'node:net';
import { AppError, hasCode } from '@ascend/errors';
import { systemClock, type Secret } from '@ascend/runtime';
import { createBackoff } from './backoff.ts';
import { createDoor } from './door.ts';
import { createLendServer } from './lendServer.ts';
import { createLentDisk, type LentDisk, type LentDiskParams } from './lentDisk.ts';
import { dialLink, dialStream, type DialParams } from './link.ts';
import { listenForPeer, type ListenAt, type PeerListener } from './listener.ts';
import { createLoanLife, type LoanEnd, type LoanLife } from './loanLife.ts';
import { createNbdBridge, type NbdBridge } from './nbdBridge.ts';
import { denied } from './peerErrors.ts';
import type { ByteLimiter } from './sendFrames.ts';
import { createSession, decodeTicket, encodeTicket, type PeerMode, type SessionTicket } from './ticket.ts';

/** NBD connections of one session: data, block status, and one of each again while a cut one is not noticed yet. */
export const sessionStreams = 4;
/** Links when the caller does not say: parallel requests make up for the round trip. */
export const defaultLinks = 4;

/** This side listens and makes the ticket. */
export interface OpenSession {
  readonly listen: ListenAt;
  readonly mode: PeerMode;
  /** TLS links that may be open at once; default 4. */
  readonly links?: number;
  /** How long the ticket waits for its first use; default 10 min. */
  readonly ticketLifeMs?: number;
}

/** How a loan is made. */
export interface LendDiskParams extends LentDiskParams {
  /** Listen and make a ticket, or dial the borrower that made one. */
  readonly at: OpenSession | { readonly ticket: Secret };
  /** Ends the loan when it fires. */
  readonly signal: AbortSignal;
  /** Cap on what is sent; default none. */
  readonly limiter?: ByteLimiter;
  /** The loan ends after this time without a sign of life of the borrower; default 60 s. */
  readonly ttlMs?: number;
  /** Deadline of each step of opening a connection; default 10 s. */
  readonly handshakeMs?: number;
}

/** A disk that is lent to one other agent, read-only. */
export interface DiskLoan {
  /** To be sealed to the borrower; null when the borrower made it. */
  readonly ticket: Secret | null;
  /** Settles when the loan is over and nothing of it is left; never rejects. */
  readonly ended: Promise<LoanEnd>;
  /** Ends it. Idempotent. */
  close(): Promise<void>;
}

interface Loan {
  readonly ticket: SessionTicket;
  readonly disk: LentDisk;
  readonly life: LoanLife;
  readonly bridge: NbdBridge;
  /** Passes an NBD connection of the borrower on to the block server. Never throws. */
  readonly passOn: (stream: net.Socket) => Promise<void>;
  readonly links: Set<net.Socket>;
  readonly server: http.Server;
}

function createLoan(params: LendDiskParams, ticket: SessionTicket, dial: DialParams | null): Loan {
  const lifeMs =
    dial === null ? Math.max(1, ticket.expiresAtMs - systemClock.now()) : (params.ttlMs ?? 60_000);
  const life = createLoanLife(lifeMs, params.ttlMs ?? 60_000, systemClock);
  const limiter = params.limiter ?? null;
  const disk = createLentDisk(params, ticket, sessionStreams, life.signal);
  const bridge = createNbdBridge(limiter, life.signal);
  const passOn = async (stream: net.Socket): Promise<void> => {
    try {
      if (ticket.mode === 'https') throw denied('the session is not for nbd');
      const { socketPath } = await disk.server();
      await bridge.pass(stream, socketPath);
    } catch {
      stream.destroy();
    }
  };
  const dialStreamBack = async (to: DialParams): Promise<void> => {
    await disk.server();
    void passOn(await dialStream({ ...to, signal: life.signal }));
  };
  const server = createLendServer({
    disk,
    life,
    mode: ticket.mode,
    links: ticket.links,
    limiter,
    dialStream: dial === null ? null : () => dialStreamBack(dial),
  });
  return { ticket, disk, life, bridge, passOn, links: new Set(), server };
}

/** Serves HTTP on a link until it closes. */
function serveLink(loan: Loan, link: net.Socket): void {
  loan.links.add(link);
  link.once('close', () => loan.links.delete(link));
  loan.server.emit('connection', link);
  // The knock was read by hand, which leaves the link paused.
  link.resume();
}

async function startListening(params: LendDiskParams, at: OpenSession): Promise<[Loan, PeerListener]> {
  const listener = await listenForPeer(at.listen, params.handshakeMs ?? 10_000);
  const nowMs = systemClock.now();
  const session = createSession({
    mode: at.mode,
    listener: 'reader',
    addresses: listener.addresses,
    links: at.links ?? defaultLinks,
    nowMs,
    expiresAtMs: nowMs + (at.ticketLifeMs ?? 600_000),
  });
  const loan = createLoan(params, session.ticket, null);
  const places = { link: session.ticket.links, stream: sessionStreams };
  listener.start(session, createDoor(), places, {
    onLink: (link) => serveLink(loan, link),
    onStream: (stream) => void loan.passOn(stream),
  });
  return [loan, listener];
}

/** Keeps one link dialled for as long as the loan runs; one that was silent for `idleMs` is replaced. */
async function keepLink(
  loan: Loan,
  dial: DialParams,
  first: net.Socket | null,
  idleMs: number,
): Promise<void> {
  const backoff = createBackoff();
  const { signal } = loan.life;
  let link = first;
  while (!signal.aborted) {
    try {
      link ??= await dialLink({ ...dial, signal });
      const closed = once(link, 'close', { signal });
      // A borrower that is alive may have lost the link without our noticing: it needs a new one then.
      const used = link;
      link.setTimeout(idleMs, () => used.destroy());
      serveLink(loan, link);
      backoff.reset();
      await closed;
    } catch (cause) {
      if (hasCode(cause, 'DISK_PEER_ENDED')) loan.life.finish('returned');
    }
    link = null;
    await backoff.wait(signal).catch(() => undefined);
  }
}

async function startDialling(params: LendDiskParams, sealed: Secret): Promise<Loan> {
  const ticket = decodeTicket(sealed);
  if (ticket.listener !== 'writer') throw denied('the ticket is for a borrower, not for a lender');
  const { signal } = params;
  const timeoutMs = params.handshakeMs ?? 10_000;
  const dial: DialParams = { ticket, holder: randomBytes(16).toString('hex'), timeoutMs, signal };
  const first = await dialLink(dial);
  const loan = createLoan(params, ticket, dial);
  for (let index = 0; index < ticket.links; index += 1) {
    void keepLink(loan, dial, index === 0 ? first : null, params.ttlMs ?? 60_000);
  }
  return loan;
}

/** Takes everything down once the loan is over. */
async function takeDown(loan: Loan, listener: PeerListener | null): Promise<LoanEnd> {
  if (!loan.life.signal.aborted) await once(loan.life.signal, 'abort');
  await listener?.close();
  loan.bridge.close();
  for (const link of loan.links) link.destroy();
  await loan.disk.close();
  return loan.life.end ?? 'closed';
}

/**
 * Lends a point in time to one other agent, read-only, until it is given back, its time runs out without a sign of life, or the signal
 * fires. Either this side listens and makes a ticket, or it dials the borrower that made one; then the call returns when the first
 * link stands. On failure nothing is left.
 *
 * @throws {AppError} DISK_PEER_UNREACHABLE, DISK_PEER_DENIED, DISK_PEER_ENDED, DISK_PEER_PROTOCOL - not a ticket; OPERATION_CANCELLED
 */
export async function lendDisk(params: LendDiskParams): Promise<DiskLoan> {
  const { at, signal } = params;
  if (signal.aborted) throw new AppError({ code: 'OPERATION_CANCELLED', message: 'lend disk: cancelled' });
  const [loan, listener] =
    'ticket' in at
      ? ([await startDialling(params, at.ticket), null] as const)
      : await startListening(params, at);
  const onAbort = (): void => loan.life.finish('cancelled');
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const ended = takeDown(loan, listener).finally(() => signal.removeEventListener('abort', onAbort));
  return {
    ticket: 'ticket' in at ? null : encodeTicket(loan.ticket),
    ended,
    close: async () => {
      loan.life.finish('closed');
      await ended;
    },
  };
}
