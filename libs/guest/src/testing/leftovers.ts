import { readdir, readFile } from 'node:fs/promises';
import { systemClock } from '@ascend/runtime';

async function commandLines(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}

async function look(folder: string, pids: readonly number[]): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(folder));
  const servers = (await commandLines())
    .filter((line) => line.includes(folder))
    .map((line) => line.replaceAll('\0', ' '));
  const states = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  // A dead process that nobody has waited for holds nothing.
  const alive = states.filter((stat) => stat !== '' && !/\) [ZX] /.test(stat));
  return [...mounts, ...servers, ...alive];
}

/**
 * Mounts and processes that still have to do with `folder`, and those of `pids` that live. Waits up to 5 s for the kernel
 * to take them down; empty = nothing is left.
 */
export async function leftovers(folder: string, pids: readonly number[] = []): Promise<readonly string[]> {
  for (let attempt = 0; ; attempt += 1) {
    const found = await look(folder, pids);
    if (found.length === 0 || attempt === 50) return found;
    await systemClock.sleep(100);
  }
}
