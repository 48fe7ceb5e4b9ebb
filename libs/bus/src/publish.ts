import { jetstream } from '@nats-io/jetstream';
import { AppError } from '@ascend/errors';
import type { BusConnection } from './connection.ts';

const ackTimeoutMs = 2_000;
const retryDelayMs = 500;

/** Turns a message into bytes. @throws {AppError} BUS_MESSAGE_TOO_LARGE - more than the server takes */
export function encodeMessage(connection: BusConnection, subject: string, value: unknown): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(value));
  const limit = connection.nats.info?.max_payload ?? 1024 * 1024;
  // Headers (message id, expectations) count too.
  if (bytes.length > limit - 4096) {
    throw new AppError({
      code: 'BUS_MESSAGE_TOO_LARGE',
      message: `publish ${subject}: ${bytes.length} bytes, the server takes ${limit}`,
      details: { sizeBytes: bytes.length, limitBytes: limit },
    });
  }
  return bytes;
}

/**
 * Publishes into a stream, again and again with the same message id, until the server has acknowledged it: a publish
 * during an outage is lost silently otherwise. Leaves nothing or one stored message.
 *
 * @throws {AppError} OPERATION_CANCELLED - `signal` fired before the acknowledgement; the message may or may not be stored
 * @throws {AppError} BUS_MESSAGE_TOO_LARGE
 */
export async function publishUntilAcked(
  connection: BusConnection,
  message: { readonly subject: string; readonly value: unknown; readonly msgId: string },
  signal: AbortSignal,
): Promise<{ readonly duplicate: boolean }> {
  const payload = encodeMessage(connection, message.subject, message.value);
  const client = jetstream(connection.nats);
  let failures = 0;
  for (;;) {
    if (signal.aborted || connection.nats.isClosed()) {
      throw new AppError({
        code: 'OPERATION_CANCELLED',
        message: `publish ${message.subject}: stopped before it was acknowledged`,
      });
    }
    try {
      const ack = await client.publish(message.subject, payload, {
        msgID: message.msgId,
        timeout: ackTimeoutMs,
      });
      return { duplicate: ack.duplicate };
    } catch (error) {
      failures += 1;
      const reason = error instanceof Error ? error.message : String(error);
      if (failures === 1 || failures % 60 === 0) {
        connection.logger.warn('publish is not acknowledged yet', {
          subject: message.subject,
          failures,
          reason,
        });
      }
      await connection.clock.sleep(retryDelayMs, signal).catch(() => undefined);
    }
  }
}
