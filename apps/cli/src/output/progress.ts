import { printable } from '@ascend/errors';
import { stepProgressSchema, type Restore } from '@ascend/protocol';
import { formatBar, formatBytes, formatDuration } from './format.ts';
import { createRateMeter, type RateMeter } from './rate.ts';

/** A view of a running restore: one line a step, redrawn in place on a terminal, appended otherwise. */
export interface ProgressView {
  update(restore: Restore): void;
  /** A volatile progress message of the event stream; anything else is ignored. */
  progress(data: unknown): void;
  close(): void;
}

/** Absolute counters of one step. */
interface Counters {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly skipped: number;
}

const signs: Readonly<Record<string, string>> = {
  waiting: ' ',
  dispatched: '>',
  running: '>',
  succeeded: '+',
  failed: 'x',
  cancelled: '-',
  skipped: '-',
};

function readCounters(data: unknown): { key: string; atMs: number; counters: Counters } | null {
  const read = stepProgressSchema.safeParse(data);
  if (!read.success) return null;
  const {
    step_key: key,
    at_ms: atMs,
    phase,
    bytes_done: done,
    bytes_total: total,
    bytes_skipped: skipped,
  } = read.data;
  return { key, atMs, counters: { phase, done, total, skipped } };
}

/** One step as a line: state, bar, bytes, rate, time left. */
function formatStep(step: ShownStep, counters: Counters | undefined, meter: RateMeter | undefined): string {
  const name = printable(step.key).padEnd(18);
  const sign = signs[step.state] ?? '?';
  const attempt = step.attempt > 1 ? ` (attempt ${step.attempt})` : '';
  if (step.state !== 'running' || counters === undefined) return `${sign} ${name} ${step.state}${attempt}`;
  if (counters.total === 0) return `${sign} ${name} ${counters.phase}${attempt}`;
  const rate = meter?.bytesPerSecond() ?? null;
  const eta = meter?.etaMs(counters.total) ?? null;
  const speed = rate === null ? '' : `  ${formatBytes(rate)}/s`;
  const left = eta === null ? '' : `  ${formatDuration(eta)} left`;
  const amount = `${formatBytes(counters.done)} of ${formatBytes(counters.total)}`;
  return `${sign} ${name} ${formatBar(counters.done, counters.total, 20)}  ${amount}${speed}${left}${attempt}`;
}

/** What one line shows. */
interface ShownStep {
  readonly key: string;
  readonly state: string;
  readonly attempt: number;
}

/** Step lines with bars: redrawn in place on a terminal, one line per change of state otherwise. */
export interface StepLines {
  draw(steps: readonly ShownStep[]): void;
  observe(key: string, atMs: number, counters: Counters): void;
  close(): void;
}

/** Creates step lines. `live`: the terminal can redraw lines in place. */
export function createStepLines(params: {
  readonly write: (text: string) => void;
  readonly live: boolean;
}): StepLines {
  const counters = new Map<string, Counters>();
  const meters = new Map<string, RateMeter>();
  const shown = new Map<string, string>();
  let steps: readonly ShownStep[] = [];
  let drawn = 0;

  const draw = (): void => {
    const lines = steps.map((step) => formatStep(step, counters.get(step.key), meters.get(step.key)));
    if (params.live) {
      // Move up over what was drawn last and overwrite line by line.
      const up = drawn === 0 ? '' : `\u001B[${drawn}A`;
      params.write(up + lines.map((line) => `\u001B[2K${line}\n`).join(''));
      drawn = lines.length;
      return;
    }
    for (const [index, step] of steps.entries()) {
      const mark = `${step.state}/${step.attempt}`;
      if (step.state !== 'waiting' && shown.get(step.key) !== mark) params.write(`${lines[index]}\n`);
      shown.set(step.key, mark);
    }
  };

  return {
    draw: (next) => {
      steps = next;
      draw();
    },
    observe: (key, atMs, next) => {
      counters.set(key, next);
      const meter = meters.get(key) ?? createRateMeter();
      meters.set(key, meter);
      meter.observe(next.done, atMs);
      if (params.live) draw();
    },
    close: () => {
      drawn = 0;
    },
  };
}

/** Creates a view. `live`: the terminal can redraw lines in place. */
export function createProgressView(params: {
  readonly write: (text: string) => void;
  readonly live: boolean;
}): ProgressView {
  const lines = createStepLines(params);
  const note = (data: unknown): void => {
    const read = readCounters(data);
    if (read !== null) lines.observe(read.key, read.atMs, read.counters);
  };
  return {
    update: (restore) => {
      for (const step of restore.steps) if (step.progress !== null) note(step.progress);
      lines.draw(
        restore.steps.map((step) => ({ key: step.step_key, state: step.state, attempt: step.attempt })),
      );
    },
    progress: note,
    close: () => lines.close(),
  };
}
