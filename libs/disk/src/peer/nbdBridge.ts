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

// A socket gives what its buffer holds, some 200 KiB here.
const chunkBytes = 256 * 1024;
const chunkCount = 4;

/** Where the answers of a block server go, and at which rate. */
interface AnswerRoad {
  readonly stream: net.Socket;
  readonly limiter: ByteLimiter | null;
  readonly signal: AbortSignal;
}

/** One connection to a block server whose answers are passed on. */
interface Relay {
  readonly server: net.Socket;
  /** Settles when all that the server answered has left, or nothing more can; never rejects. */
  readonly answered: Promise<void>;
}

/**
 * Connects to a block server and writes what it answers to `stream`, out of a few buffers that go round: memory that Node
 * allocates for each read of 64 KiB cost a quarter of the relay's CPU. Ends `stream` when the server ends.
 */
function connectRelay(socketPath: string, { stream, limiter, signal }: AnswerRoad): Relay {
  const free: Buffer[] = Array.from({ length: chunkCount }, () => Buffer.allocUnsafeSlow(chunkBytes));
  let ahead = Promise.resolve();
  const write = (chunk: Uint8Array, buffer: Buffer): void => {
    stream.write(chunk, () => {
      free.push(buffer);
      if (!server.destroyed) server.resume();
    });
  };
  const onread = {
    // Typed as always giving a buffer; where there is none the last one stays, and the socket is paused.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the runtime takes "no buffer", its types do not
    buffer: (() => free.pop() ?? false) as () => Uint8Array,
    callback: (bytes: number, memory: Uint8Array): boolean => {
      const buffer = Buffer.from(memory.buffer);
      const chunk = buffer.subarray(0, bytes);
      if (limiter === null) write(chunk, buffer);
      else {
        ahead = ahead
          .then(() => limiter.take(bytes, signal))
          .then(() => write(chunk, buffer))
          .catch(() => void server.destroy());
      }
      // One goes to the next read right after this; without another one behind it that read must wait.
      return free.length > 1;
    },
  };
  const server = net.connect({ path: socketPath, onread });
  const answered = new Promise<void>((resolve) => {
    server.once('end', () => void ahead.then(() => stream.end(resolve)));
    for (const socket of [server, stream]) socket.once('error', () => resolve());
    stream.once('close', resolve);
  });
  return { server, answered };
}

/** A bridge that sees nothing: TLS runs from the client to the block server. `limiter` caps what is sent to the other agent. */
export function createNbdBridge(limiter: ByteLimiter | null, signal: AbortSignal): NbdBridge {
  const open = new Set<net.Socket>();
  return {
    pass: async (stream, socketPath) => {
      const { server, answered } = connectRelay(socketPath, { stream, limiter, signal });
      open.add(stream).add(server);
      try {
        await Promise.race([answered, pipeline(stream, server)]);
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
