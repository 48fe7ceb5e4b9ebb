import type { Clock } from '@ascend/runtime';

/** Why a loan is over. */
export type LoanEnd = 'returned' | 'expired' | 'closed' | 'cancelled';

/** Whether a loan still runs: it needs a sign of life now and then. */
export interface LoanLife {
  /** Fires when it is over. */
  readonly signal: AbortSignal;
  /** Why it is over; null while it runs. */
  readonly end: LoanEnd | null;
  /** A sign of life; the time begins anew. */
  renew(): void;
  /** Runs work of this side that the borrower waits for; the time does not run out meanwhile and begins anew afterwards. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** Ends it; the first reason stays. */
  finish(reason: LoanEnd): void;
}

/** A loan that ends when `firstMs` pass before its first sign of life, or `ttlMs` after the last one. */
export function createLoanLife(firstMs: number, ttlMs: number, clock: Pick<Clock, 'now'>): LoanLife {
  const over = new AbortController();
  let end: LoanEnd | null = null;
  let busy = 0;
  let endsAtMs = clock.now() + firstMs;
  let firesAtMs = endsAtMs;
  let timer: NodeJS.Timeout | undefined;
  const finish = (reason: LoanEnd): void => {
    if (end !== null) return;
    end = reason;
    clearTimeout(timer);
    over.abort();
  };
  const arm = (): void => {
    clearTimeout(timer);
    firesAtMs = endsAtMs;
    timer = setTimeout(check, Math.max(1, endsAtMs - clock.now()));
    timer.unref();
  };
  // Renewing happens with each frame, so the timer is not set anew each time: it looks when it fires.
  const check = (): void => {
    if (clock.now() < endsAtMs) arm();
    else if (busy === 0) finish('expired');
    else {
      endsAtMs = clock.now() + ttlMs;
      arm();
    }
  };
  const renew = (): void => {
    if (end !== null) return;
    endsAtMs = clock.now() + ttlMs;
    if (endsAtMs < firesAtMs) arm();
  };
  arm();
  return {
    signal: over.signal,
    get end() {
      return end;
    },
    renew,
    during: async (work) => {
      busy += 1;
      try {
        return await work();
      } finally {
        busy -= 1;
        renew();
      }
    },
    finish,
  };
}
