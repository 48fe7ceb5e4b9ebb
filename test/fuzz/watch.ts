import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'vitest';

const tickMs = 50;
const mib = 1024 * 1024;

/** What some work cost this process. */
export interface Cost {
  /** Longest CPU time of this thread between two turns of the event loop; time in which others had the CPU does not count. */
  readonly blockedMs: number;
  readonly grownBytes: number;
}

/** Runs work and measures how long it blocks the event loop and how far the memory of the process grows. */
export async function measured<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly cost: Cost }> {
  const startBytes = process.memoryUsage.rss();
  let [blockedMs, mostBytes] = [0, startBytes];
  let last = process.threadCpuUsage();
  const tick = (): void => {
    const since = process.threadCpuUsage(last);
    last = process.threadCpuUsage();
    blockedMs = Math.max(blockedMs, (since.user + since.system) / 1000);
    mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
  };
  const timer = setInterval(tick, tickMs);
  try {
    const value = await work();
    tick();
    return { value, cost: { blockedMs, grownBytes: mostBytes - startBytes } };
  } finally {
    clearInterval(timer);
  }
}

/** Nothing took the event loop for seconds, and the memory stayed bounded. */
export function expectCheap(cost: Cost, what: string): void {
  expect(cost.blockedMs, `${what} blocks the event loop`).toBeLessThan(2000);
  expect(cost.grownBytes / mib, `${what} takes memory (MiB)`).toBeLessThan(200);
}

/** Command lines of running processes that name a folder. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(folder)) found.push(line.replaceAll('\0', ' '));
  }
  return found;
}

/** No process that was started for a folder is left. */
export async function expectNoProcess(folder: string): Promise<void> {
  expect(await processesOf(folder)).toEqual([]);
}
