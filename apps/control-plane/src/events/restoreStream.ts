import type { StepProgress } from '@ascend/domain';
import type { Restore, RestoreEvent } from '@ascend/protocol';
import type { Clock } from '@ascend/runtime';

/** Time between two looks for new events and progress: progress is shown at 1 Hz (D14). */
const tickMs = 1000;
/** Proxies close a silent connection; a comment keeps it open. */
const heartbeatMs = 15_000;
const batch = 500;
const endStates = new Set(['completed', 'failed', 'cancelled', 'rolled_back']);

/** Where the stream goes: a server-sent event, or a comment. */
export interface StreamWriter {
  event(message: { readonly id?: string; readonly event: string; readonly data: unknown }): Promise<void>;
  comment(text: string): Promise<void>;
}

/** What the stream is made from. */
export interface StreamSource {
  readonly clock: Clock;
  /** The restore as it is now. @throws {AppError} when it is unknown */
  snapshot(): Promise<Restore>;
  /** Stored events after `seq`, oldest first, at most `limit`. */
  eventsAfter(seq: number, limit: number): Promise<readonly RestoreEvent[]>;
  /** Newest counters by step key. */
  progress(): ReadonlyMap<string, StepProgress>;
}

/** A step's counters in API form. */
export function presentProgress(progress: StepProgress): Restore['steps'][number]['progress'] {
  return {
    step_key: progress.stepKey,
    phase: progress.phase,
    bytes_done: progress.bytesDone,
    bytes_total: progress.bytesTotal,
    bytes_skipped: progress.bytesSkipped,
    at_ms: progress.atMs,
  };
}

async function writeEvents(source: StreamSource, writer: StreamWriter, afterSeq: number): Promise<number> {
  let last = afterSeq;
  for (;;) {
    const events = await source.eventsAfter(last, batch);
    for (const event of events) {
      await writer.event({ id: String(event.seq), event: event.type, data: event });
      last = event.seq;
    }
    if (events.length < batch) return last;
  }
}

/** Writes counters that are newer than what was written before; they carry no id, so a resume never asks for them. */
async function writeProgress(
  source: StreamSource,
  writer: StreamWriter,
  shown: Map<string, number>,
): Promise<number> {
  let written = 0;
  for (const [key, progress] of source.progress()) {
    if (shown.get(key) === progress.atMs) continue;
    shown.set(key, progress.atMs);
    await writer.event({ event: 'progress', data: presentProgress(progress) });
    written += 1;
  }
  return written;
}

/**
 * Streams one restore: a snapshot, then every stored event after `afterSeq` (default: after the snapshot), with
 * volatile progress in between. Returns when the restore has ended and everything was written, or when `signal` fires.
 */
export async function streamRestore(
  source: StreamSource,
  writer: StreamWriter,
  afterSeq: number | null,
  signal: AbortSignal,
): Promise<void> {
  const first = await source.snapshot();
  let last = afterSeq ?? first.last_event_seq;
  let ended = endStates.has(first.state);
  await writer.event({ id: String(last), event: 'snapshot', data: first });
  const shown = new Map<string, number>();
  let writtenAt = source.clock.now();
  while (!signal.aborted) {
    const before = last;
    last = await writeEvents(source, writer, last);
    const progressed = await writeProgress(source, writer, shown);
    if (last === before && ended) return;
    // Only a stored event can change the state, so the row is read again only after one.
    if (last !== before) ended = endStates.has((await source.snapshot()).state);
    else if (progressed === 0 && source.clock.now() - writtenAt >= heartbeatMs) {
      await writer.comment('still here');
      writtenAt = source.clock.now();
    }
    if (last !== before || progressed > 0) writtenAt = source.clock.now();
    if (!ended) await source.clock.sleep(tickMs, signal).catch(() => undefined);
  }
}
