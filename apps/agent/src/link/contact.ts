import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';

/** After this long without a word from the control plane nothing is created or deleted any more (D7). */
const contactLimitMs = 60_000;

/** Whether this agent may believe that its operations are still its own. */
export interface Contact {
  /** The control plane has just answered and its verdicts have been carried out. */
  confirm(): void;
  /** Resolves at once while contact is fresh, else when it is back. @throws {AppError} OPERATION_CANCELLED - signal fired first */
  gate(signal: AbortSignal): Promise<void>;
  /** Grows while someone waits at the gate: waiting for contact is not a stall. */
  waited(): number;
}

const lookEveryMs = 500;

/** Contact is the last answer to `hello`, not the TCP connection: a partitioned bus would look healthy. */
export function createContact(clock: Clock, limitMs: number = contactLimitMs): Contact {
  let confirmedAt: number | null = null;
  let waited = 0;
  const fresh = (): boolean => confirmedAt !== null && clock.now() - confirmedAt <= limitMs;
  return {
    confirm: () => {
      confirmedAt = clock.now();
    },
    gate: async (signal) => {
      while (!fresh()) {
        waited += 1;
        await clock.sleep(lookEveryMs, signal).catch(() => undefined);
        if (signal.aborted) {
          throw new AppError({ code: 'OPERATION_CANCELLED', message: 'wait for contact: stopped' });
        }
      }
    },
    waited: () => waited,
  };
}
