import type net from 'node:net';
import { hasCode } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { dialLink, dialStream, type DialParams } from './link.ts';
import type { ListenerEvents, PeerListener } from './listener.ts';
import { denied, ended, isCut, unreachable } from './peerErrors.ts';

/** Where the borrower gets its connections from, whichever side dials. */
export interface LinkSupply {
  /** @throws {AppError} DISK_PEER_UNREACHABLE, DISK_PEER_DENIED, DISK_PEER_ENDED, OPERATION_CANCELLED */
  openLink(signal: AbortSignal): Promise<net.Socket>;
  /** A connection for NBD; `ask` makes the lender dial when it is its turn. @throws {AppError} as `openLink` */
  openStream(signal: AbortSignal, ask: () => Promise<void>): Promise<net.Socket>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Dials for each connection. */
export function createDialSupply(params: DialParams, clock: Clock): LinkSupply {
  let wasWelcome = false;
  const dialled = async (dial: Promise<net.Socket>): Promise<net.Socket> => {
    try {
      const socket = await dial;
      wasWelcome = true;
      return socket;
    } catch (cause) {
      // A ticket that was good once stays good: then a handshake that fails was cut.
      if (wasWelcome && hasCode(cause, 'DISK_PEER_DENIED'))
        throw unreachable('a handshake was cut', {}, cause);
      const lateMs = clock.now() - params.ticket.expiresAtMs;
      if (wasWelcome || lateMs <= 0 || !isCut(cause)) throw cause;
      throw denied(`the ticket expired ${Math.ceil(lateMs / 1000)} s ago`, cause);
    }
  };
  return {
    openLink: (signal) => dialled(dialLink({ ...params, signal })),
    openStream: (signal) => dialled(dialStream({ ...params, signal })),
    close: async () => {},
  };
}

interface Waiter {
  readonly resolve: (socket: net.Socket) => void;
}

/** Connections of one kind that have come and are not taken yet, or are waited for. */
function createArrivals() {
  const arrived = new Set<net.Socket>();
  const waiters = new Set<Waiter>();
  return {
    add: (socket: net.Socket): void => {
      const [waiter] = waiters;
      if (waiter === undefined) {
        arrived.add(socket);
        socket.once('close', () => arrived.delete(socket));
        return;
      }
      waiters.delete(waiter);
      waiter.resolve(socket);
    },
    take: async (waitMs: number, signal: AbortSignal): Promise<net.Socket> => {
      signal.throwIfAborted();
      for (const socket of arrived) {
        arrived.delete(socket);
        if (!socket.destroyed) return socket;
      }
      return await new Promise((resolve, reject) => {
        const settle = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          waiters.delete(waiter);
        };
        const onAbort = (): void => {
          settle();
          reject(signal.reason);
        };
        const waiter: Waiter = {
          resolve: (socket) => {
            settle();
            resolve(socket);
          },
        };
        const timer = setTimeout(() => {
          settle();
          reject(unreachable(`it has not dialled in ${waitMs} ms`));
        }, waitMs);
        timer.unref();
        signal.addEventListener('abort', onAbort, { once: true });
        waiters.add(waiter);
      });
    },
  };
}

/** What a listening borrower waits for. */
export interface AcceptWaits {
  /** For the very first link: until the lender got the ticket and started. */
  readonly firstMs: number;
  /** For each later connection. */
  readonly laterMs: number;
}

/** Takes the connections that the lender dials. */
export function createAcceptSupply(listener: PeerListener, waits: AcceptWaits): LinkSupply & ListenerEvents {
  const links = createArrivals();
  const streams = createArrivals();
  let hasCome = false;
  return {
    onLink: (link) => {
      hasCome = true;
      links.add(link);
    },
    onStream: (stream) => streams.add(stream),
    openLink: async (signal) => {
      if (hasCome) return await links.take(waits.laterMs, signal);
      try {
        return await links.take(waits.firstMs, signal);
      } catch (cause) {
        throw isCut(cause) ? ended('the lender has not come before the ticket expired') : cause;
      }
    },
    openStream: async (signal, ask) => {
      await ask();
      return await streams.take(waits.laterMs, signal);
    },
    close: () => listener.close(),
  };
}
