import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@ascend/runtime';
import { stateFiles } from './machineSpec.ts';

const pollMs = 50;

/**
 * True when the process `pid` is the machine of this folder: its argument list names the folder's own pid file. A number
 * alone proves nothing, it may belong to another process by now.
 */
export async function isMachineProcess(pid: number, stateDir: string): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const args = text.split('\0');
  const at = args.indexOf('-pidfile');
  return at !== -1 && args[at + 1] === join(stateDir, stateFiles.pid);
}

/** The live process of a machine's folder and when it was started (ms since the epoch); null when none runs. */
export async function liveProcess(stateDir: string): Promise<{ pid: number; startedAtMs: number } | null> {
  const path = join(stateDir, stateFiles.pid);
  const pid = Number((await readFile(path, 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(pid) || pid <= 1 || !(await isMachineProcess(pid, stateDir))) return null;
  const facts = await stat(path).catch(() => null);
  return facts === null ? null : { pid, startedAtMs: facts.mtimeMs };
}

/** Waits until the machine's process is gone; false when it still runs after `timeoutMs`. */
export async function waitUntilGone(pid: number, stateDir: string, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (await isMachineProcess(pid, stateDir)) {
    if (Date.now() >= end) return false;
    await systemClock.sleep(pollMs);
  }
  return true;
}
