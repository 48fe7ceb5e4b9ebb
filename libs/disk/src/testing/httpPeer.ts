import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

/** A server for one test; `close` also cuts open connections. */
export interface HttpPeer {
  readonly origin: string;
  close(): Promise<void>;
}

/** Starts a server on a free port of this machine; with `tls` one that speaks HTTPS. */
export async function startHttpPeer(
  handler: http.RequestListener,
  tls?: https.ServerOptions,
): Promise<HttpPeer> {
  const server = tls === undefined ? http.createServer(handler) : https.createServer(tls, handler);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is no string
  const { port } = server.address() as AddressInfo;
  return {
    origin: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Runs a test against a server and takes the server down, whatever happens. */
export async function withHttpPeer(
  handler: http.RequestListener,
  run: (peer: HttpPeer) => Promise<void>,
  tls?: https.ServerOptions,
): Promise<void> {
  const peer = await startHttpPeer(handler, tls);
  try {
    await run(peer);
  } finally {
    await peer.close();
  }
}
