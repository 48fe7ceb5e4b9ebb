import { cpus, release, totalmem } from 'node:os';
import { median, type Compared, type Measured } from './measure.ts';

/** A goal of the definition: `CPU` is the firm figure, wall is reported beside it. */
export interface Goal {
  readonly wall?: number;
  readonly cpu?: number;
}

/** One line of the table. */
export interface Line {
  readonly id: string;
  readonly what: string;
  readonly peer: string;
  readonly goal: Goal;
  readonly compared: Compared;
  /** More about it: bytes staged, size of the output. */
  readonly notes: readonly string[];
}

/** A figure that is no comparison. */
export interface Figure {
  readonly what: string;
  readonly seen: string;
  readonly goal: string;
  readonly reached: boolean;
}

const number = (value: number): string => value.toFixed(2);

function spread(values: readonly number[]): string {
  return `${number(median(values))} (${number(Math.min(...values))}–${number(Math.max(...values))})`;
}

const wall = (all: readonly Measured[]): string => spread(all.map((one) => one.wallSeconds));
const cpu = (all: readonly Measured[]): string => spread(all.map((one) => one.cpuSeconds));

function peak(all: readonly Measured[]): string {
  const own = all.map((one) => one.facts.rssMiB ?? one.peakMiB);
  return String(Math.max(...own));
}

function verdict(goal: Goal, compared: Compared): string {
  const cpuOk = goal.cpu === undefined || compared.cpuRatio <= goal.cpu;
  const wallOk = goal.wall === undefined || compared.wallRatio <= goal.wall;
  if (cpuOk && wallOk) return 'reached';
  if (goal.cpu !== undefined && cpuOk) return 'CPU reached, wall not';
  return goal.cpu !== undefined && wallOk ? 'wall reached, CPU not' : 'not reached';
}

function goalText(goal: Goal): string {
  const parts = [
    goal.wall === undefined ? '' : `wall ≤ ${number(goal.wall)}`,
    goal.cpu === undefined ? '' : `CPU ≤ ${number(goal.cpu)}`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function tableLine(line: Line): string {
  const { compared } = line;
  const cells = [
    line.id,
    line.what,
    number(compared.wallRatio),
    number(compared.cpuRatio),
    goalText(line.goal),
    verdict(line.goal, compared),
    wall(compared.ours),
    wall(compared.peer),
    cpu(compared.ours),
    cpu(compared.peer),
    `${peak(compared.ours)} / ${peak(compared.peer)}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The whole page. */
export function resultsPage(params: {
  readonly lines: readonly Line[];
  readonly figures: readonly Figure[];
  readonly pairs: number;
  readonly scale: number;
  readonly profiles: string;
}): string {
  const { lines, figures } = params;
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
  return [
    '# Benchmark: last run',
    '',
    `Written by \`npm run bench\`, ${new Date().toISOString().slice(0, 10)}. ${machine}. Scale ${params.scale}; ${params.pairs} pairs a line, run in turns (ours, peer, peer, ours …).`,
    'Ratios are medians of the ratios of each pair, ours : peer, below 1 is better than the peer. CPU is user + system of the whole process tree, block servers included, and',
    'is the firm figure; wall moves with the load of the machine. Peak: resident MiB of our process without its children, and of the largest process of the peer.',
    '',
    '| # | what | wall | CPU | goal | verdict | ours wall s | peer wall s | ours CPU s | peer CPU s | peak MiB |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...lines.map(tableLine),
    '',
    '| figure | seen | goal | verdict |',
    '| --- | --- | --- | --- |',
    ...figures.map(
      (one) => `| ${one.what} | ${one.seen} | ${one.goal} | ${one.reached ? 'reached' : 'not reached'} |`,
    ),
    '',
    '## Peers',
    '',
    ...lines.map((line) => `- ${line.id}: ${line.peer}${line.notes.map((note) => `; ${note}`).join('')}`),
    '',
    params.profiles,
  ].join('\n');
}
