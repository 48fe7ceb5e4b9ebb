import net from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { ByteLimiter } from './sendFrames.ts';

/** Connections of the other agent that are passed on to a private block server. */
export interface NbdBridge {
  /** Passes bytes both ways until one end closes; never throws. */
  pass(stream: net.Socket, socketPath: string): Promise<void>;
  /** Cuts all of them. */
  close(): void;
}

async function* limited(
  source: AsyncIterable<Buffer>,
  limiter: ByteLimiter,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    await limiter.take(chunk.length, signal);
    yield chunk;
  }
}

/** A bridge that sees nothing: TLS runs from the client to the block server. `limiter` caps what is sent to the other agent. */
export function createNbdBridge(limiter: ByteLimiter | null, signal: AbortSignal): NbdBridge {
  const open = new Set<net.Socket>();
  return {
    pass: async (stream, socketPath) => {
      const server = net.connect(socketPath);
      open.add(stream).add(server);
      try {
        await Promise.race([
          pipeline(stream, server),
          limiter === null
            ? pipeline(server, stream)
            : pipeline(server, (bytes: AsyncIterable<Buffer>) => limited(bytes, limiter, signal), stream),
        ]);
      } catch {
        // A cut is no news here: the other agent sees it too.
      } finally {
        for (const socket of [stream, server]) {
          socket.on('error', () => undefined).destroy();
          open.delete(socket);
        }
      }
    },
    close: () => {
      for (const socket of open) socket.destroy();
    },
  };
}
