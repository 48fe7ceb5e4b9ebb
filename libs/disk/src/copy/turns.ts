/** A place in a line: `come` resolves when everybody before has passed. */
export interface Turn {
  readonly come: Promise<void>;
  /** Lets the next one in. Idempotent. */
  pass(): void;
}

/** Hands out turns in the order in which they are asked for. */
export interface Turns {
  next(): Turn;
}

/** A line in which nobody stands yet. */
export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve();
  return {
    next: () => {
      const come = last;
      const passed = Promise.withResolvers<null>();
      // The promise of the one before is awaited first, so that passing early does not overtake.
      last = (async () => {
        await passed.promise;
        await come;
      })();
      return { come, pass: () => passed.resolve(null) };
    },
  };
}

/** A line in which nobody has to wait. */
export function createFreeTurns(): Turns {
  const turn: Turn = { come: Promise.resolve(), pass: () => undefined };
  return { next: () => turn };
}
