import type { Knock, KnockAnswer } from './knock.ts';

/** Decides who may come in: one holder of the ticket, each nonce once. */
export interface Door {
  /** null = a replay: not even an answer. */
  answer(knock: Knock): KnockAnswer | null;
  /** The ticket has been used. */
  isHeld(): boolean;
  /** From now on nobody comes in. */
  shut(): void;
}

// Far above what a session of reconnecting links needs; behind it the door stays shut rather than forget what it has seen.
const maxNonces = 100_000;

/** A door for one session. */
export function createDoor(): Door {
  const seen = new Set<string>();
  let holder: string | null = null;
  let isShut = false;
  return {
    answer: (knock) => {
      if (seen.has(knock.nonce)) return null;
      if (isShut || seen.size >= maxNonces) return 'ended';
      seen.add(knock.nonce);
      holder ??= knock.holder;
      return holder === knock.holder ? 'welcome' : 'used';
    },
    isHeld: () => holder !== null,
    shut: () => {
      isShut = true;
    },
  };
}
