import { allocateAligned } from '../alignedMemory.ts';

/** A fixed set of buffers: whoever wants one waits until one is free. That is the whole back-pressure of a copy. */
export interface BufferPool {
  acquire(): Promise<Buffer>;
  release(buffer: Buffer): void;
}

/** Cuts `count` buffers out of one piece of memory, which takes no room before they are used; it never grows. They start on page boundaries. */
export function createBufferPool(count: number, bytes: number): BufferPool {
  const free: Buffer[] = [];
  const waiting: ((buffer: Buffer) => void)[] = [];
  let memory: Buffer | null = null;
  let made = 0;
  return {
    acquire: async () => {
      const ready = free.pop();
      if (ready !== undefined) return ready;
      if (made < count) {
        memory ??= allocateAligned(count * bytes);
        made += 1;
        return memory.subarray((made - 1) * bytes, made * bytes);
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
