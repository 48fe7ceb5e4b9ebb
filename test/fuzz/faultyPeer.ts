import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import net from 'node:net';

/** How a server fails once it has taken some bytes. `slow` does not fail: it takes its time. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'cut' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'stuck' }
  | { readonly kind: 'slow' };

const slowPauseMs = 2;

/** Puts a fault into a server: it is what it was until it has taken `afterBytes` of bodies, in all requests together. */
export function faulty(fault: Fault, afterBytes: number, well: RequestListener): RequestListener {
  let taken = 0;
  const fail = (request: IncomingMessage, response: ServerResponse): void => {
    request.removeAllListeners('data');
    request.removeAllListeners('end');
    if (fault.kind === 'status') {
      // It reads on before it closes, as servers do: a close with unread bytes would be a cut that can overtake the answer.
      if (!response.headersSent) response.writeHead(fault.status, { 'content-length': '2' }).write('no');
      request.on('end', () => response.end());
      request.resume();
    } else if (fault.kind === 'cut') request.socket.destroy();
    else if (fault.kind === 'stuck') request.pause();
    else request.resume();
  };
  return (request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (fault.kind !== 'slow' && taken >= afterBytes) {
      fail(request, response);
      return;
    }
    well(request, response);
    request.on('data', (part: Buffer) => {
      taken += part.length;
      if (fault.kind === 'slow') {
        request.pause();
        setTimeout(() => request.resume(), slowPauseMs);
      } else if (taken >= afterBytes) fail(request, response);
    });
  };
}

/** A connection to somewhere else that is cut, or falls silent, when some bytes have gone to it. */
export async function startFaultyLine(
  targetSocket: string,
  fault: 'cut' | 'silent',
  afterBytes: number,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<net.Socket>();
  let taken = 0;
  const server = net.createServer((from) => {
    const to = net.connect(targetSocket);
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    from.on('close', () => to.destroy());
    to.on('close', () => from.destroy());
    to.pipe(from);
    from.on('data', (part: Buffer) => {
      taken += part.length;
      if (taken < afterBytes) to.write(part);
      else if (fault === 'cut') from.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the line has no port');
  return {
    port: address.port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
