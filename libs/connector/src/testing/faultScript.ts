import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';

/** A call that can go wrong. */
export type FaultableCall =
  | 'open'
  | 'inventory'
  | 'check'
  | 'openSink'
  | 'write'
  | 'flush'
  | 'finish'
  | 'digest'
  | 'createVm'
  | 'powerOn'
  | 'powerOff'
  | 'verifyBoot'
  | 'configureVm'
  | 'findOwned'
  | 'destroy';

/**
 * One thing that goes wrong, once: `fail` before the call does anything · `throttle` likewise, with a waiting time ·
 * `lose-answer` the call does its work and the answer is lost · `late` it answers after `delayMs` · `cut` half of the
 * body arrives (write only) · `stale` a listing from before the last change.
 */
export interface Fault {
  readonly call: FaultableCall;
  /** Which call from now on, counted from 1. */
  readonly nth: number;
  readonly kind: 'fail' | 'throttle' | 'lose-answer' | 'late' | 'cut' | 'stale';
  readonly delayMs?: number;
}

/** Counts calls and says which of them go wrong. */
export interface FaultScript {
  /** Adds a fault; several may wait for the same call. */
  inject(fault: Fault): void;
  /** Calls seen so far, by name. */
  count(call: FaultableCall): number;
  /** Runs one call under the script. `body` learns about `cut` and `stale`, which only it can act out. */
  perform<T>(
    call: FaultableCall,
    signal: AbortSignal | null,
    body: (fault: Fault['kind'] | null) => T,
  ): Promise<T>;
}

function cancelledBefore(call: FaultableCall): AppError {
  return new AppError({ code: 'OPERATION_CANCELLED', message: `${call}: cancelled` });
}

function unreachable(call: FaultableCall, what: string): AppError {
  return new AppError({ code: 'TARGET_UNREACHABLE', message: `${call}: ${what}` });
}

const answerLost: ReadonlySet<Fault['kind']> = new Set(['lose-answer', 'cut']);

async function actBefore(call: FaultableCall, fault: Fault, clock: Clock): Promise<void> {
  if (fault.kind === 'fail') throw unreachable(call, 'connection refused');
  if (fault.kind === 'throttle') {
    const retryAfterMs = fault.delayMs ?? 1000;
    throw new AppError({ code: 'TARGET_THROTTLED', message: `${call}: too many calls`, retryAfterMs });
  }
  if (fault.kind === 'late') await clock.sleep(fault.delayMs ?? 10);
}

/** An empty script: everything goes well until a fault is injected. */
export function createFaultScript(clock: Clock): FaultScript {
  const counts = new Map<FaultableCall, number>();
  let waiting: { readonly at: number; readonly fault: Fault }[] = [];

  function take(call: FaultableCall): Fault | null {
    const seen = (counts.get(call) ?? 0) + 1;
    counts.set(call, seen);
    const due = waiting.find((entry) => entry.fault.call === call && entry.at === seen);
    waiting = waiting.filter((entry) => entry !== due);
    return due?.fault ?? null;
  }

  return {
    inject: (fault) => waiting.push({ at: (counts.get(fault.call) ?? 0) + fault.nth, fault }),
    count: (call) => counts.get(call) ?? 0,
    perform: async (call, signal, body) => {
      if (signal?.aborted === true) throw cancelledBefore(call);
      const fault = take(call);
      if (fault !== null) await actBefore(call, fault, clock);
      const result = body(fault?.kind ?? null);
      if (fault !== null && answerLost.has(fault.kind)) throw unreachable(call, 'connection reset');
      return result;
    },
  };
}
