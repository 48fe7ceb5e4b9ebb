import type { Context } from 'hono';
import { stream } from 'hono/streaming';
import type { StreamWriter } from '../events/restoreStream.ts';

/**
 * Answers with server-sent events. `write` gets a signal that fires when the client is gone or `stopping` fires; what
 * it throws after the first byte ends the stream, and the client comes back with its last id.
 */
export function answerEventStream(
  c: Context,
  stopping: AbortSignal,
  write: (writer: StreamWriter, signal: AbortSignal) => Promise<void>,
  onError: (error: Error) => void,
): Response {
  c.header('content-type', 'text/event-stream');
  c.header('cache-control', 'no-store');
  // Reverse proxies collect answers by default, which would hold events back.
  c.header('x-accel-buffering', 'no');
  return stream(
    c,
    async (out) => {
      const gone = new AbortController();
      out.onAbort(() => gone.abort());
      const writer: StreamWriter = {
        event: async ({ id, event, data }) => {
          const head = id === undefined ? '' : `id: ${id}\n`;
          await out.write(`${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
        },
        comment: async (text) => {
          await out.write(`: ${text}\n\n`);
        },
      };
      await write(writer, AbortSignal.any([gone.signal, stopping]));
    },
    async (error) => onError(error),
  );
}
