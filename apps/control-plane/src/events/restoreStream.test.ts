import type { StepProgress } from '@ascend/domain';
import type { Restore, RestoreEvent } from '@ascend/protocol';
import { expect, test } from 'vitest';
import { restoreAnswer } from '../testing/answers.ts';
import { createProgressBoard } from './progressBoard.ts';
import { streamRestore, type StreamSource } from './restoreStream.ts';

/** A restore whose events and state follow a script, one entry per tick of the clock. */
function script(ticks: readonly (() => void)[]) {
  let nowMs = 0;
  let tick = 0;
  const state = {
    restore: restoreAnswer({ state: 'running', last_event_seq: 2 }),
    events: [] as RestoreEvent[],
  };
  const progress = new Map<string, StepProgress>();
  const stop = new AbortController();
  const source: StreamSource = {
    clock: {
      now: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
        const step = ticks[tick];
        tick += 1;
        if (step === undefined) stop.abort();
        else step();
      },
    },
    snapshot: async () => state.restore,
    eventsAfter: async (seq, limit) => state.events.filter((event) => event.seq > seq).slice(0, limit),
    progress: () => progress,
  };
  const written: string[] = [];
  const writer = {
    event: async (message: { id?: string; event: string }) => {
      written.push(`${message.event}#${message.id ?? ''}`);
    },
    comment: async (text: string) => {
      written.push(`: ${text}`);
    },
  };
  return { source, writer, written, state, progress, stop };
}

const event = (seq: number): RestoreEvent => ({ seq, type: 'step', at: '2026-11-21T00:00:00Z', data: null });
const counters = (atMs: number): StepProgress => ({
  stepKey: 'transfer-disk:0',
  phase: 'copy',
  bytesDone: atMs,
  bytesTotal: 100,
  bytesSkipped: 0,
  atMs,
});
const ended: Restore = restoreAnswer({ state: 'completed', last_event_seq: 4 });

test('a snapshot comes first, then new events, and the stream ends with the restore', async () => {
  const run = script([
    () => run.state.events.push(event(3)),
    () => {
      run.state.events.push(event(4));
      run.state.restore = ended;
    },
  ]);
  run.state.events.push(event(1), event(2));
  await streamRestore(run.source, run.writer, null, run.stop.signal);
  expect(run.written).toEqual(['snapshot#2', 'step#3', 'step#4']);
});

test('a resume replays what was missed', async () => {
  const run = script([]);
  run.state.events.push(event(1), event(2), event(3), event(4));
  run.state.restore = ended;
  await streamRestore(run.source, run.writer, 1, run.stop.signal);
  expect(run.written).toEqual(['snapshot#1', 'step#2', 'step#3', 'step#4']);
});

test('more events than one batch are all written in order', async () => {
  const run = script([]);
  run.state.restore = ended;
  run.state.events.push(...Array.from({ length: 1201 }, (_, index) => event(index + 1)));
  await streamRestore(run.source, run.writer, 0, run.stop.signal);
  expect(run.written).toHaveLength(1202);
  expect(run.written.at(-1)).toBe('step#1201');
});

test('progress is written once per change and without id', async () => {
  const run = script([
    () => run.progress.set('transfer-disk:0', counters(10)),
    () => undefined,
    () => run.progress.set('transfer-disk:0', counters(20)),
  ]);
  await streamRestore(run.source, run.writer, null, run.stop.signal);
  expect(run.written).toEqual(['snapshot#2', 'progress#', 'progress#']);
});

test('a silent stream gets a comment every 15 seconds', async () => {
  const run = script(Array.from({ length: 31 }, () => () => undefined));
  await streamRestore(run.source, run.writer, null, run.stop.signal);
  expect(run.written).toEqual(['snapshot#2', ': still here', ': still here']);
});

test('the board keeps the newest counters per step and says once which jobs changed', () => {
  const board = createProgressBoard();
  const message = { v: 1, jobId: 'j1', opId: 'o1', ...counters(5) } as const;
  board.note(message);
  board.note({ ...message, atMs: 4, bytesDone: 1 });
  expect(board.of('j1').get('transfer-disk:0')?.bytesDone).toBe(5);
  expect(board.takeChanged()).toEqual(['j1']);
  expect(board.takeChanged()).toEqual([]);
  board.drop('j1');
  expect(board.of('j1').size).toBe(0);
  board.note(message);
  board.note({ ...message, jobId: 'j2' });
  board.keepOnly(['j2']);
  expect(board.of('j1').size).toBe(0);
  expect(board.takeChanged()).toEqual(['j2']);
});
