import { open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { runProcess } from '@ascend/runtime';
import { z } from 'zod';

/** One command to measure: program and arguments; `before` runs unmeasured, then the files of `reads` are read once. */
export interface Work {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly before?: () => Promise<void>;
  /** Files that the command reads: they are in the page cache when it starts, so that no run pays for another's cold start. */
  readonly reads?: readonly string[];
}

/** What a measured command prints as its last line, when it is ours. */
const factsSchema = z.object({
  /** Peak of the process itself, without its children. */
  rssMiB: z.number().optional(),
  ownCpu: z.number().optional(),
  bytes: z.number().optional(),
  staged: z.number().optional(),
  /** Seconds of the part that is compared, where start-up is not of interest. */
  seconds: z.number().optional(),
  outputBytes: z.number().optional(),
});

/** One measurement. */
export interface Measured {
  readonly wallSeconds: number;
  /** User and system time of the whole process tree. */
  readonly cpuSeconds: number;
  /** Peak resident memory of the largest process of the tree. */
  readonly peakMiB: number;
  readonly facts: z.infer<typeof factsSchema>;
}

function factsOf(stdout: string): z.infer<typeof factsSchema> {
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) return {};
  return factsSchema.parse(JSON.parse(last));
}

async function warm(file: string): Promise<void> {
  const handle = await open(file, 'r');
  const buffer = Buffer.allocUnsafe(4 * 1024 * 1024);
  for (let at = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  await handle.close();
}

/**
 * Runs one command under GNU time and returns what it took. The kernel counts CPU of every process that was waited for, so block servers
 * that a command starts and ends are in it.
 *
 * @throws {AppError} PROCESS_FAILED, PROCESS_NOT_FOUND
 */
export async function measure(work: Work): Promise<Measured> {
  await work.before?.();
  for (const each of work.reads ?? []) await warm(each);
  const file = join(tmpdir(), `ascend-bench-${randomUUID()}`);
  try {
    const { stdout } = await runProcess({
      program: 'time',
      args: ['--format=%e %U %S %M', `--output=${file}`, '--', work.program, ...work.args],
      ...(work.cwd === undefined ? {} : { cwd: work.cwd }),
      ...(work.env === undefined ? {} : { env: work.env }),
    });
    const [wall, user, system, peak] = (await readFile(file, 'utf8')).trim().split(' ').map(Number);
    return {
      wallSeconds: wall ?? 0,
      cpuSeconds: (user ?? 0) + (system ?? 0),
      peakMiB: Math.round((peak ?? 0) / 1024),
      facts: factsOf(stdout),
    };
  } finally {
    await rm(file, { force: true });
  }
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** Ours and the peer's, measured in turns. */
export interface Compared {
  readonly ours: readonly Measured[];
  readonly peer: readonly Measured[];
  /** Medians of the ratios of each pair. */
  readonly wallRatio: number;
  readonly cpuRatio: number;
}

/** Runs both in turns, `pairs` times: A B A B …, so that a slow minute of the machine meets both. */
export async function comparePairs(ours: Work, peer: Work, pairs: number): Promise<Compared> {
  const measured: { ours: Measured; peer: Measured }[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const first = pair % 2 === 0;
    const a = await measure(first ? ours : peer);
    const b = await measure(first ? peer : ours);
    measured.push(first ? { ours: a, peer: b } : { ours: b, peer: a });
  }
  return {
    ours: measured.map((pair) => pair.ours),
    peer: measured.map((pair) => pair.peer),
    wallRatio: median(measured.map((pair) => pair.ours.wallSeconds / pair.peer.wallSeconds)),
    cpuRatio: median(measured.map((pair) => pair.ours.cpuSeconds / pair.peer.cpuSeconds)),
  };
}
