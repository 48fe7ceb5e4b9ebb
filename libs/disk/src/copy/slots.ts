/** A fixed number of places; who finds none free waits, first come first served. */
export interface Slots {
  acquire(): Promise<void>;
  release(): void;
}

/** `count` free places. */
export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  return {
    acquire: async () => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    release: () => {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}
