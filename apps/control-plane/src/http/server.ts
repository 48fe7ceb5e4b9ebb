import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { ListenAddress } from '../config.ts';
import type { Api } from './api.ts';

/** A listening API. */
export interface ApiServer {
  readonly host: string;
  readonly port: number;
  /** Stops taking connections, lets answers in progress end for `graceMs`, then cuts what is left (event streams). */
  close(graceMs: number): Promise<void>;
}

/** Listens on one address. Port 0 takes a free one. Rejects when the address is taken. */
export async function listen(api: Api, address: ListenAddress): Promise<ApiServer> {
  const answer = getRequestListener(api.fetch);
  const server = createServer((incoming, outgoing) => {
    // The listener answers its own failures; nothing is left to reject.
    void answer(incoming, outgoing);
  });
  const listening = Promise.withResolvers<number>();
  server.once('error', (error) => listening.reject(error));
  server.listen(address.port, address.host, () => {
    const bound = server.address();
    listening.resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port);
  });
  const port = await listening.promise;
  return {
    host: address.host,
    port,
    close: async (graceMs) => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed.promise;
      clearTimeout(cut);
    },
  };
}
