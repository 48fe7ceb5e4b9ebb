import { once } from 'node:events';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import type tls from 'node:tls';
import { AppError } from '@ascend/errors';
import { addressLabel, errnoOf, readExactly, withinDeadline, type TcpAddress } from '../nbd/socket.ts';
import type { Door } from './door.ts';
import { decodeKnock, encodeAnswer, knockBytes, knockFirstByte, type KnockPurpose } from './knock.ts';
import { acceptTls, keepAliveInitialDelay } from './link.ts';
import { connectionError, denied, unreachable } from './peerErrors.ts';
import { knockKeyOf, type OwnSession } from './ticket.ts';

/** Where to listen. */
export interface ListenAt {
  /** Address of this machine; `0.0.0.0` or `::` for all of them. */
  readonly host: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Names or addresses under which the other agent reaches this one, if not `host`. */
  readonly advertise?: readonly string[];
}

/** An open port that lets in who holds the ticket. */
export interface PeerListener {
  /** Starts to let in. Before, connections wait. `places`: how many of a kind may be inside; one more drops the oldest. */
  start(
    session: OwnSession,
    door: Door,
    places: Readonly<Record<KnockPurpose, number>>,
    on: ListenerEvents,
  ): void;
  readonly addresses: readonly TcpAddress[];
  /** Ends the port and every connection that came through it. Idempotent. */
  close(): Promise<void>;
}

/** What became of a connection that was let in. */
export interface ListenerEvents {
  readonly onLink: (link: tls.TLSSocket) => void;
  readonly onStream: (stream: net.Socket) => void;
}

/** Connections of one kind that are inside. */
interface Room {
  readonly places: number;
  readonly inside: Set<net.Socket>;
}

/** Gives a connection a place. The holder never uses more than agreed: if all are taken, the oldest is one whose end was not noticed. */
function enter(room: Room, socket: net.Socket): void {
  const [oldest] = room.inside;
  if (room.inside.size >= room.places) oldest?.destroy();
  room.inside.add(socket);
  socket.once('close', () => room.inside.delete(socket));
}

// Strangers may hold this many places at a time, each for no longer than the deadline; then the oldest of them is dropped.
const maxStrangers = 32;
const tlsHandshakeByte = 0x16;

interface Entry {
  readonly session: OwnSession;
  readonly door: Door;
}

type LetIn = { readonly link: tls.TLSSocket } | { readonly stream: net.Socket };

async function answerKnock(socket: net.Socket, entry: Entry, purpose: KnockPurpose): Promise<void> {
  const found = decodeKnock(knockKeyOf(entry.session.ticket), await readExactly(socket, knockBytes));
  const answer = found === null || found.purpose !== purpose ? null : entry.door.answer(found);
  if (answer === null) throw denied('a stranger knocked');
  if (answer !== 'welcome') {
    // The caller destroys the socket; the answer must be on its way before.
    await new Promise<void>((resolve) => socket.end(encodeAnswer(answer), resolve));
    throw denied(`the knock was answered with ${JSON.stringify(answer)}`);
  }
  socket.write(encodeAnswer(answer));
}

/** Tells by the first byte what a connection is, and lets it in or throws. */
async function letIn(socket: net.Socket, entry: Entry): Promise<LetIn> {
  const first = await readExactly(socket, 1);
  socket.unshift(first);
  if (first[0] === knockFirstByte) {
    await answerKnock(socket, entry, 'stream');
    return { stream: socket };
  }
  if (first[0] !== tlsHandshakeByte) throw denied('a stranger speaks another protocol');
  const link = await acceptTls(socket, entry.session.credentials);
  link.on('error', () => undefined);
  await answerKnock(link, entry, 'link');
  return { link };
}

const wildcards: Readonly<Record<string, 'IPv4' | 'IPv6' | undefined>> = { '0.0.0.0': 'IPv4', '::': 'IPv6' };

/** The names to give to the other agent: as told, else the address itself, else those of all networks of this machine. */
function reachableBy(at: ListenAt): readonly string[] {
  if (at.advertise !== undefined) return at.advertise;
  const family = wildcards[at.host];
  if (family === undefined) return [at.host];
  return Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? [])
      .filter((entry) => !entry.internal && entry.family === family && !entry.address.startsWith('fe80:'))
      .map((entry) => entry.address),
  );
}

async function bind(at: ListenAt): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay,
    pauseOnConnect: true,
  });
  try {
    server.listen({ host: at.host, port: at.port ?? 0, exclusive: true });
    await once(server, 'listening');
  } catch (cause) {
    server.close();
    const place = addressLabel({ host: at.host, port: at.port ?? 0 });
    throw new AppError({
      code: 'DISK_PEER_UNREACHABLE',
      message: `listen on ${place}: the system says ${errnoOf(cause)}`,
      details: { server: place, errno: errnoOf(cause) },
      cause,
    });
  }
  const bound = server.address();
  return { server, port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
}

/**
 * Opens a port for one session. Whoever comes must show the session's certificate or knock with its key within the deadline.
 *
 * @throws {AppError} DISK_PEER_UNREACHABLE - not an address of this machine, or the port is taken
 */
export async function listenForPeer(at: ListenAt, timeoutMs: number): Promise<PeerListener> {
  const { server, port } = await bind(at);
  const all = new Set<net.Socket>();
  const strangers = new Set<net.Socket>();
  const waiting: net.Socket[] = [];
  let serve: ((socket: net.Socket) => Promise<void>) | null = null;
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    all.add(socket);
    strangers.add(socket);
    socket.once('close', () => {
      all.delete(socket);
      strangers.delete(socket);
    });
    const [oldest] = strangers;
    if (strangers.size > maxStrangers) oldest?.destroy();
    if (serve === null) waiting.push(socket);
    else void serve(socket);
  });
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of all) socket.destroy();
    await closed;
  };
  let closing: Promise<void> | null = null;
  return {
    addresses: reachableBy(at).map((host) => ({ host, port })),
    start: (session, door, places, on) => {
      const links: Room = { places: places.link, inside: new Set() };
      const streams: Room = { places: places.stream, inside: new Set() };
      serve = async (socket) => {
        const server = addressLabel({ host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 });
        const limits = {
          timeoutMs,
          onTimeout: () => unreachable(`a stranger was silent for ${timeoutMs} ms`, { server }),
          onFailure: (cause: unknown) => connectionError(server, cause),
        };
        const found = await withinDeadline(socket, limits, () => letIn(socket, { session, door })).catch(
          () => null,
        );
        if (found === null) return;
        strangers.delete(socket);
        if ('link' in found) {
          enter(links, found.link);
          on.onLink(found.link);
        } else {
          enter(streams, found.stream);
          on.onStream(found.stream);
        }
      };
      for (const socket of waiting.splice(0)) void serve(socket);
    },
    close: () => (closing ??= close()),
  };
}
