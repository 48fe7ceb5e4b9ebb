import { AppError } from '@ascend/errors';

/** A pull view of a byte stream, for parsers that must know where they are. */
export interface ByteCursor {
  /** Bytes taken or skipped so far. */
  readonly position: number;
  /** Up to `length` bytes without taking them; shorter only at the end of the stream. */
  peek(length: number): Promise<Buffer>;
  /** @throws {AppError} GUEST_INITRAMFS_UNREADABLE - the stream ends before `length` bytes */
  take(length: number): Promise<Buffer>;
  /** What is at hand, at least one byte, or an empty buffer at the end. */
  takeSome(): Promise<Buffer>;
  /** Skips without keeping. @throws {AppError} GUEST_INITRAMFS_UNREADABLE - the stream ends before */
  skip(length: number): Promise<void>;
  /** Puts back bytes that were taken last. */
  unread(bytes: Buffer): void;
}

/** The error of everything that is wrong with an image. */
export function initramfsError(message: string): AppError {
  return new AppError({ code: 'GUEST_INITRAMFS_UNREADABLE', message: `read initramfs: ${message}` });
}

/**
 * Makes a cursor over a stream.
 *
 * @throws {AppError} GUEST_INITRAMFS_UNREADABLE - more than `maxBytes` were delivered (an initrd bomb)
 */
export function createByteCursor(stream: AsyncIterable<Buffer>, maxBytes: number): ByteCursor {
  const iterator = stream[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let position = 0;
  let delivered = 0;
  let ended = false;
  const pull = async (): Promise<boolean> => {
    if (ended) return false;
    const next = await iterator.next();
    if (next.done === true) {
      ended = true;
      return false;
    }
    delivered += next.value.length;
    if (delivered > maxBytes) throw initramfsError(`more than ${maxBytes} bytes`);
    held = held.length === 0 ? next.value : Buffer.concat([held, next.value]);
    return true;
  };
  const peek = async (length: number): Promise<Buffer> => {
    while (held.length < length && (await pull()));
    return held.subarray(0, length);
  };
  const consume = (length: number): Buffer => {
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    position += taken.length;
    return taken;
  };
  return {
    get position() {
      return position;
    },
    peek,
    take: async (length) => {
      const seen = await peek(length);
      if (seen.length < length) throw initramfsError(`ends ${length - seen.length} bytes too early`);
      return consume(length);
    },
    takeSome: async () => {
      if (held.length === 0) await pull();
      return consume(held.length);
    },
    skip: async (length) => {
      let left = length;
      while (left > 0) {
        if (held.length === 0 && !(await pull())) throw initramfsError(`ends ${left} bytes too early`);
        left -= consume(Math.min(left, held.length)).length;
      }
    },
    unread: (bytes) => {
      held = Buffer.concat([bytes, held]);
      position -= bytes.length;
    },
  };
}
