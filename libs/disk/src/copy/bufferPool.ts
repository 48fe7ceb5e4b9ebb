/** A fixed set of buffers: whoever wants one waits until one is free. That is the whole back-pressure of a copy. */
export interface BufferPool {
  acquire(): Promise<Buffer>;
  release(buffer: Buffer): void;
}

/** Makes `count` buffers on first use; memory never grows beyond them. */
export function createBufferPool(count: number, bytes: number): BufferPool {
  const free: Buffer[] = [];
  const waiting: ((buffer: Buffer) => void)[] = [];
  let made = 0;
  return {
    acquire: async () => {
      const ready = free.pop();
      if (ready !== undefined) return ready;
      if (made < count) {
        made += 1;
        return Buffer.allocUnsafeSlow(bytes);
      }
      return await new Promise((resolve) => waiting.push(resolve));
    },
    release: (buffer) => {
      const next = waiting.shift();
      if (next === undefined) free.push(buffer);
      else next(buffer);
    },
  };
}
