import type { Clock } from '@ascend/runtime';

/** Turns completed work into durable, reported resume points, one at a time beside the running copy. */
export interface Confirmer {
  /** Takes note of the position and of the bytes written so far; starts a confirmation when one is due. */
  advance(position: number, writtenBytes: number): void;
  /** Waits for the running confirmation, then confirms `position`. @throws what flush or onConfirmed threw */
  finish(position: number): Promise<void>;
  /** Waits for the running confirmation without starting another; never throws. */
  settle(): Promise<void>;
}

/** How to confirm. */
export interface ConfirmerParams {
  readonly clock: Clock;
  readonly everyBytes: number;
  readonly everyMs: number;
  readonly startAt: number;
  readonly flush: () => Promise<void>;
  readonly onConfirmed: (offsetBytes: number) => Promise<void>;
  readonly onError: (cause: unknown) => void;
}

/** A confirmer whose reported offsets only grow. */
export function createConfirmer(params: ConfirmerParams): Confirmer {
  let confirmed = params.startAt;
  let writtenAtLast = 0;
  let lastMs = params.clock.now();
  let running: Promise<void> | null = null;
  const confirm = async (position: number): Promise<void> => {
    await params.flush();
    if (position > confirmed) {
      confirmed = position;
      await params.onConfirmed(position);
    }
  };
  const settle = async (): Promise<void> => {
    await running;
  };
  return {
    advance: (position, writtenBytes) => {
      if (running !== null || position <= confirmed) return;
      const now = params.clock.now();
      if (writtenBytes - writtenAtLast < params.everyBytes && now - lastMs < params.everyMs) return;
      writtenAtLast = writtenBytes;
      lastMs = now;
      running = confirm(position)
        .catch(params.onError)
        .finally(() => (running = null));
    },
    settle,
    finish: async (position) => {
      await settle();
      await confirm(position);
    },
  };
}
